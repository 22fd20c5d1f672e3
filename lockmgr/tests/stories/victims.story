# A cycle of two, equal weights: the requester dies, under all rules.
rules arrival
begin 1 2
1 X record 2
2 X record 3
1 X record 3
2 X record 2
end 2
----
1: granted
2: granted
1: waits for 2
deadlock 2 1, victim 2
2: victim
wake 1: granted

rules weight
begin 1 2
1 X record 2
2 X record 3
1 X record 3
2 X record 2
sweep
end 2
----
1: granted
2: granted
1: waits for 2
2: waits for 1
deadlock 1 2, victim 2
wake 2: victim
wake 1: granted

rules brent
begin 1 2
1 X record 2
2 X record 3
1 X record 3
2 X record 2
end 2
----
1: granted
2: granted
1: waits for 2
deadlock 2 1, victim 2
2: victim
wake 1: granted

# The lighter dies, whoever asked last.
rules arrival
begin 1 2
undo 2 1
1 X record 2
2 X record 3
1 X record 3
2 X record 2
end 1
----
1: granted
2: granted
1: waits for 2
deadlock 2 1, victim 1
2: waits for 1
wake 1: victim
wake 2: granted

# Three in a ring, the first is the lightest. The older rule weighs only the one who closes the
# ring and the one who waits for it.
rules arrival
begin 1 2 3
undo 2 1
undo 3 1
1 X record 2
2 X record 3
3 X record 4
1 X record 3
2 X record 4
3 X record 2
end 3
----
1: granted
2: granted
3: granted
1: waits for 2
2: waits for 3
deadlock 3 1 2, victim 3
3: victim
wake 2: granted

# The newer ones weigh the whole ring.
rules weight
begin 1 2 3
undo 2 1
undo 3 1
1 X record 2
2 X record 3
3 X record 4
1 X record 3
2 X record 4
3 X record 2
sweep
end 1
----
1: granted
2: granted
3: granted
1: waits for 2
2: waits for 3
3: waits for 1
deadlock 1 2 3, victim 1
wake 1: victim
wake 3: granted

rules brent
begin 1 2 3
undo 2 1
undo 3 1
1 X record 2
2 X record 3
3 X record 4
1 X record 3
2 X record 4
3 X record 2
end 1
----
1: granted
2: granted
3: granted
1: waits for 2
2: waits for 3
deadlock 3 1 2, victim 1
3: waits for 1
wake 1: victim
wake 3: granted

# A request may close two rings at once: the search goes on until there are none.
rules arrival
begin 1 2 3
undo 1 9
2 S record 5
3 S record 5
1 X record 2
2 X record 2
1 X record 3
3 X record 3
1 X record 5
end 2
end 3
----
2: granted
3: granted
1: granted
2: waits for 1
1: granted
3: waits for 1
deadlock 1 2, victim 2
deadlock 1 3, victim 3
1: waits for 2 3
wake 2: victim
wake 3: victim
wake 1: granted

# One edge sees one ring; the other shows when the first blocker's end moves the edge.
rules brent
begin 1 2 3
undo 1 9
2 S record 5
3 S record 5
1 X record 2
2 X record 2
1 X record 3
3 X record 3
1 X record 5
end 2
sweep
end 3
----
2: granted
3: granted
1: granted
2: waits for 1
1: granted
3: waits for 1
deadlock 1 2, victim 2
1: waits for 2 3
wake 2: victim
deadlock 3 1, victim 3
wake 3: victim
wake 1: granted

# A ring may go through a table and a record.
rules arrival
begin 1 2
1 X table 9
2 X record 5
2 IX table 9
1 X record 5
end 1
----
1: granted
2: granted
2: waits for 1
deadlock 1 2, victim 1
1: victim
wake 2: granted

# A background detector says nothing until it sweeps, and then finds all rings.
rules weight
begin 1 2 3 4
1 X record 2
2 X record 3
3 X record 4
4 X record 5
1 X record 3
2 X record 2
3 X record 5
4 X record 4
sweep
sweep
----
1: granted
2: granted
3: granted
4: granted
1: waits for 2
2: waits for 1
3: waits for 4
4: waits for 3
deadlock 1 2, victim 2
deadlock 3 4, victim 4
wake 2: victim
wake 4: victim

# A path deeper than the limit is taken for a deadlock, and the requester dies for it.
rules arrival shallow
begin 1 2 3 4
1 X record 2
2 X record 3
3 X record 4
2 X record 2
3 X record 3
4 X record 4
locks
----
1: granted
2: granted
3: granted
2: waits for 1
3: waits for 2
deadlock too deep, victim 4
4: victim
2: 1 X record
3: 2 X record
2: 2 X record waits
4: 3 X record
3: 3 X record waits

# So does one who makes the search look at too many edges.
rules arrival short
begin 1 2 3 4
1 S record 5
2 S record 5
3 X record 5
4 S record 5
----
1: granted
2: granted
3: waits for 1 2
deadlock too deep, victim 4
4: victim

# Where nobody looks a cycle lasts until the first time-out.
rules arrival nobody-looks
begin 1 2
1 X record 2
2 X record 3
1 X record 3 until 60
2 X record 2 until 50
sweep
expire 50
end 2
----
1: granted
2: granted
1: waits for 2
2: waits for 1
wake 2: timed out
wake 1: granted

# Two hold the same gap and both insert into it: gap locks don't stop each other, insertions do.
rules arrival
begin 1 2
1 X gap sup
2 X gap sup
1 X insert-intention sup
2 X insert-intention sup
----
1: granted
2: granted
1: waits for 2
deadlock 2 1, victim 2
2: victim
