# A next-key request over an own record lock queues like any other: behind a waiter it deadlocks,
# and the waiter, being lighter, dies.
rules arrival
begin 1 2
1 X record 5
1 X record 6
2 X record 5
1 X next-key 5
locks
----
1: granted
1: granted
2: waits for 1
deadlock 1 2, victim 2
1: granted
wake 2: victim
5: 1 X record
6: 1 X record
5: 1 X next-key

# Where the rules say so it asks for the gap only, which never waits.
rules arrival upgrade
begin 1 2
1 X record 5
1 X record 6
2 X record 5
1 X next-key 5
1 X next-key 5
locks
----
1: granted
1: granted
2: waits for 1
1: granted
1: granted, nothing stored
5: 1 X record
6: 1 X record
5: 1 X gap
5: 2 X record waits

# S held, X asked, an X waiter in between: the older rule makes a deadlock of it.
rules arrival
begin 1 2
1 IS table 9
1 S record 5
1 IX table 9
2 IX table 9
2 X record 5
1 X record 5
locks
----
1: granted
1: granted
1: granted
2: granted
2: waits for 1
deadlock 1 2, victim 2
1: granted
wake 2: victim
table 9: 1 IS
5: 1 S record
table 9: 1 IX
5: 1 X record
table 9: 2 IX

# The newer one lets the holder pass; the lock is stored even where an implicit one would do.
rules weight
begin 1 2
1 S record 5
2 X record 5
1 X record 5 implicit
locks
end 1
----
1: granted
2: waits for 1
1: granted
5: 1 S record
5: 1 X record
5: 2 X record waits
wake 2: granted

# The same while grants go by arrival.
rules brent bypass
begin 1 2
1 S record 5
2 X record 5
1 X record 5
locks
end 1
----
1: granted
2: waits for 1
1: granted
5: 1 S record
5: 1 X record
5: 2 X record waits
wake 2: granted

# Bypass vector 2: an insertion never passes. The shared waiter is rolled back.
rules weight
begin 1 2
undo 1 3
1 X record 5
2 S next-key 5
1 X insert-intention 5
sweep
end 2
----
1: granted
2: waits for 1
1: waits for 2
deadlock 2 1, victim 2
wake 2: victim
wake 1: granted

# Bypass vector 3: the X waiter remembers one blocker only, the holder who came last, so the deadlock
# with the other is seen once that one ends.
rules weight
begin 1 2 3
undo 1 3
1 S next-key 5
2 S record 5
3 X next-key 5
1 X insert-intention 5
sweep
end 2
sweep
end 3
----
1: granted
2: granted
3: waits for 2 1
1: waits for 3
deadlock 3 1, victim 3
wake 3: victim
wake 1: granted

# Bypass vector 4: the same, but the first holder asks for the record. Its request meets the granted
# lock first, and is granted ahead of the earlier waiter.
rules weight
begin 1 2 3
1 S next-key 5
2 S record 5
3 X next-key 5
1 X record 5
sweep
end 2
sweep
locks
----
1: granted
2: granted
3: waits for 2 1
1: waits for 2
wake 1: granted
5: 1 S next-key
5: 1 X record
5: 3 X next-key waits
