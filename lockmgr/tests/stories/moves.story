# A page is split to the right: its upper records move with their locks, waiters too. The lock on the
# supremum moves, and the left page's new end inherits from the first record of the right.
rules arrival
begin 1 2 3
1 X next-key 4 as 1
1 X next-key 5 as 2
1 X next-key sup as 3
2 X record 5
3 X insert-intention sup
move 4 to 6: 4>2 5>3
split-right 4 6 2
locks
edges
end 1
----
1: granted
1: granted
1: granted
2: waits for 1
3: waits for 1
sup: 1 X next-key by statement 1
6/sup: 1 X next-key by statement 3
6/2: 1 X next-key by statement 1
6/3: 1 X next-key by statement 2
6/3: 2 X record waits
6/sup: 3 X insert-intention waits
6/3: 2 X record waits for 1 X next-key by statement 2
6/sup: 3 X insert-intention waits for 1 X next-key by statement 3
wake 2: granted
wake 3: granted

# Split to the left: the new left page's end inherits from the right page's first record.
rules arrival
begin 1
1 S record 2
1 S record 3
move 4 to 6: 2>2
split-left 6 4 3
locks
----
1: granted
1: granted
3: 1 S record
6/2: 1 S record
6/sup: 1 S next-key

# Merged to the left: what covered the gap at the left page's end covers the gap before the record
# that now stands there; the right page's end is the end. An insertion that waited there asks again.
rules arrival
begin 1 2
1 X next-key sup
1 S gap 6/sup
2 X insert-intention sup
move 6 to 4: 2>7
merge-left 4 7 6
locks
counts 1
----
1: granted
1: granted
2: waits for 1
wake 2: asks again
7: 1 X gap
sup: 1 S next-key
1: 3 structures, 2 row locks

# Merged to the right: the left page's end hands on to the record that was first on the right.
rules arrival
begin 1 2
1 X next-key 2
1 X next-key sup
2 X record 2
move 4 to 6: 2>9
merge-right 6/3 4
locks
----
1: granted
1: granted
2: waits for 1
6/9: 1 X next-key
6/3: 1 X gap
6/9: 2 X record waits

# The root is raised: everything moves a level down, the end with it.
rules arrival
begin 1
1 X next-key 2
1 X next-key sup
move 4 to 6: 2>2
root-raise 4 6
locks
----
1: granted
1: granted
6/sup: 1 X next-key
6/2: 1 X next-key

# The only child is lifted into its parent.
rules arrival
begin 1
1 X next-key 6/2
1 X next-key 6/sup
move 6 to 4: 2>2
lift 4 6
locks
counts 1
----
1: granted
1: granted
sup: 1 X next-key
2: 1 X next-key
1: 1 structures, 2 row locks

# A page goes away with all its records.
rules arrival
begin 1 2 3
1 X record 2
2 S gap sup
3 X record 2
discard 6/5 4
locks
----
1: granted
2: granted
3: waits for 1
wake 3: asks again
6/5: 1 X gap
6/5: 2 S gap
6/5: 3 X gap

# Records change places on their page, all at once.
rules arrival
begin 1 2
1 X record 2 as 1
1 X record 3 as 2
2 X record 3
move 4 to 4: 2>3 3>2
locks
end 1
----
1: granted
1: granted
2: waits for 1
2: 1 X record by statement 2
3: 1 X record by statement 1
2: 2 X record waits
wake 2: granted

# A record is rewritten elsewhere on its page: its locks park on the infimum meanwhile.
rules arrival
begin 1
1 X next-key 5
move 4 to 4: 5>0
move 4 to 4: 0>8
locks
----
1: granted
8: 1 X next-key

# Provenance: each lock of a structure knows the statement that asked for it.
rules arrival
begin 1
1 X record 2 as 1
1 X record 3 as 1
1 X record 4 as 2
1 X record 5 as 1
1 X record 3 as 3
locks
counts 1
----
1: granted
1: granted
1: granted
1: granted
1: granted, nothing stored
2: 1 X record by statement 1
3: 1 X record by statement 1
4: 1 X record by statement 2
5: 1 X record by statement 1
1: 1 structures, 4 row locks
