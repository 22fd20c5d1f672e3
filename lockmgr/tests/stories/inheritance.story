# A record comes into a locked gap: gap and next-key locks, held or wanted, are copied as gap locks;
# record locks and insert intentions are not.
rules arrival
begin 1 2 3 4
1 X next-key 9
2 S gap 9
3 X next-key 9
4 X insert-intention 9
insert 7 before 9
locks
----
1: granted
2: granted
3: waits for 1
4: waits for 1 2 3
9: 1 X next-key
7: 1 X gap
7: 2 S gap
9: 2 S gap
9: 3 X next-key waits
7: 3 X gap
9: 4 X insert-intention waits

# At the page's end the supremum hands on.
rules arrival
begin 1
1 S next-key sup as 3
insert 7 before sup
locks
----
1: granted
sup: 1 S next-key by statement 3
7: 1 S gap by statement 3

# A record goes: all its locks, record-only ones and waiting ones too, live on as gap locks of its
# heir with the origin they had, and whoever waited asks again.
rules arrival
begin 1 2 3 4
1 X record 7 as 5
2 S next-key 7 as 6
3 X insert-intention 9
1 X gap 7
4 X insert-intention 7
remove 7 heir 9
locks
counts 2
----
1: granted
2: waits for 1
3: granted, nothing stored
1: granted
4: waits for 2 1
wake 2: asks again
wake 4: asks again
9: 1 X gap by statement 5
9: 2 S gap by statement 6
2: 2 structures, 1 row locks

# Who inherits what is the owner's matter: nothing, shared locks only, gap locks only.
rules arrival
begin 1 2 3 4
inherit 1 none
inherit 2 shared
inherit 3 gaps
1 S next-key 7
2 S record 7
3 S record 7
3 S gap 7
4 S record 7
remove 7 heir sup
locks
----
1: granted
2: granted
3: granted
3: granted
4: granted
sup: 2 S next-key
sup: 3 S next-key
sup: 4 S next-key

rules arrival
begin 1
inherit 1 shared
1 X next-key 7
remove 7 heir 9
locks
----
1: granted
no locks

# An inherited gap lock is stored beside an own next-key lock, but not twice.
rules arrival
begin 1
1 X next-key 9
1 X record 7
1 X record 8
remove 8 heir 9
remove 7 heir 9
locks
counts 1
----
1: granted
1: granted
1: granted
9: 1 X next-key
9: 1 X gap
1: 3 structures, 2 row locks

# The gap that an implicit lock never had: only when somebody waited, and made it explicit, is there
# anything to inherit when the row is rolled back.
rules arrival
begin 1 2
1 X record 7 implicit
convert 1 7
2 S record 7
remove 7 heir 9
end 1
locks
----
1: granted, nothing stored
1: explicit
2: waits for 1
wake 2: asks again
9: 2 S gap
