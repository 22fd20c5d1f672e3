# First come, first served: a waiting X stops a later S, although that is compatible with the
# S that is held. When the X times out the S behind it is granted.
rules arrival
begin 1 2 3
1 S record 5
2 X record 5 until 50
3 S record 5
edges
expire 49
expire 50
locks
----
1: granted
2: waits for 1
3: waits for 2
5: 2 X record waits for 1 S record
5: 3 S record waits for 2 X record waits
wake 2: timed out
wake 3: granted
5: 1 S record
5: 3 S record

# A transaction that has a lock which covers the request is given nothing new; next-key covers
# all, record and gap cover themselves, and the two together are not next-key.
rules arrival
begin 1
1 X next-key 5
1 S record 5
1 X gap 5
1 S record 6
1 S gap 6
1 S next-key 6
1 X record 6
locks
counts 1
----
1: granted
1: granted, nothing stored
1: granted, nothing stored
1: granted
1: granted
1: granted
1: granted
5: 1 X next-key
6: 1 S record
6: 1 S gap
6: 1 S next-key
6: 1 X record
1: 5 structures, 5 row locks

# NOWAIT and SKIP LOCKED: a conflict is refused, and nothing is queued.
rules arrival
begin 1 2
1 X record 5
2 X record 5 refuse
2 X gap 5 refuse
locks
----
1: granted
2: refused
2: granted
5: 1 X record
5: 2 X gap

# One structure holds all locks of one kind on a page; a waiting one has a single lock. A structure
# is not used again for a record on which somebody waits.
rules arrival
begin 1 2
1 S record 5
1 S record 6
1 S record 7
counts 1
2 X record 5
1 S gap 5
1 S gap 6
counts 1
counts 2
----
1: granted
1: granted
1: granted
1: 1 structures, 3 row locks
2: waits for 1
1: granted
1: granted
1: 2 structures, 5 row locks
2: 1 structures, 1 row locks

# On a supremum every lock but an insert intention is next-key, protects a gap only, and never
# waits.
rules arrival
begin 1 2
1 X record sup
2 X gap sup
2 X insert-intention sup
locks
----
1: granted
2: granted
2: waits for 1
sup: 1 X next-key
sup: 2 X next-key
sup: 2 X insert-intention waits

# What changes a record asks for a lock that need not be stored, unless it has to wait.
rules arrival
begin 1 2
1 X record 5 implicit
locks
convert 1 5
convert 1 5
2 X record 5 implicit
end 1
locks
convert 1 5
----
1: granted, nothing stored
no locks
1: explicit
1: nothing
2: waits for 1
wake 2: granted
5: 2 X record
1: nothing

# An insertion waits for locks on the gap, even for such as only wait; once it was woken its granted
# insert intention stays and stops nobody.
rules arrival
begin 1 2 3
1 X record 5
2 X next-key 5
3 X insert-intention 5
end 2
locks
1 X gap 5
----
1: granted
2: waits for 1
3: waits for 2
wake 3: granted
5: 1 X record
5: 3 X insert-intention
1: granted

# A row that did not match is given back under READ COMMITTED; its structure stays and counts.
rules arrival
begin 1 2
1 X record 5
2 X record 5
back 1 X 5
counts 1
----
1: granted
2: waits for 1
wake 2: granted
1: 1 structures, 0 row locks

# Table locks queue in order of arrival. AUTO_INC ends with its statement.
rules arrival
begin 1 2 3 4
1 IX table 9
1 AUTO_INC table 9
2 IX table 9
2 AUTO_INC table 9
3 S table 9
4 IX table 9
back 1 AUTO_INC table 9
end 1
end 2
end 3
locks
----
1: granted
1: granted
2: granted
2: waits for 1
3: waits for 1 2
4: waits for 3
wake 2: granted
wake 3: granted
wake 4: granted
table 9: 4 IX

# A client that goes away takes its request with it.
rules arrival
begin 1 2 3
1 X record 5
2 X record 5
3 X record 5
cancel 2
end 1
----
1: granted
2: waits for 1
3: waits for 1 2
wake 3: granted

# A simple insert looks whether somebody holds or wants AUTO_INC, and takes no lock if not.
rules arrival
begin 1 2
1 IX table 9
asks 1 AUTO_INC table 9
2 AUTO_INC table 9
asks 1 AUTO_INC table 9
asks 2 AUTO_INC table 9
----
1: granted
1: free
2: granted
1: for 2
2: free
