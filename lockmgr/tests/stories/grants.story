# Two wait for a row, and somebody waits for the second of them: by arrival the first is granted.
rules arrival
begin 1 2 3 4
1 X record 3
3 X record 7
2 X record 3
4 X record 7
3 X record 3
end 1
----
1: granted
3: granted
2: waits for 1
4: waits for 3
3: waits for 1 2
wake 2: granted

# By weight it is the second, which has more blocked behind it.
rules weight
begin 1 2 3 4
1 X record 3
3 X record 7
2 X record 3
4 X record 7
3 X record 3
end 1
sweep
edges
----
1: granted
3: granted
2: waits for 1
4: waits for 3
3: waits for 1 2
wake 3: granted
3: 2 X record waits for 3 X record
7: 4 X record waits for 3 X record

# Equal weights go in order of arrival; only granted locks count then, so the S that came behind the
# second X is granted with the first S.
rules weight
begin 1 2 3 4
1 X record 3
2 S record 3
3 X record 3
4 S record 3
end 1
edges
end 2
end 4
----
1: granted
2: waits for 1
3: waits for 1 2
4: waits for 1 3
wake 2: granted
wake 4: granted
3: 3 X record waits for 4 S record
3: 3 X record waits for 2 S record
wake 3: granted

# From two waiters on by weight, below that by arrival.
rules arrival from-2
begin 1 2 3 4
1 X record 3
3 X record 7
2 X record 3
4 X record 7
3 X record 3
end 1
----
1: granted
3: granted
2: waits for 1
4: waits for 3
3: waits for 1 2
wake 3: granted

# A second gap lock came after the waiting insertion. By arrival it is granted early, asks again and
# waits a second time: one granted and one waiting insert intention.
rules arrival
begin 1 2 3
1 X gap 9
2 X insert-intention 9
3 X gap 9
end 1
2 X insert-intention 9
locks
end 3
----
1: granted
2: waits for 1
3: granted
wake 2: granted
2: waits for 3
9: 2 X insert-intention
9: 2 X insert-intention waits
9: 3 X gap
wake 2: granted

# By weight it simply stays waiting.
rules weight
begin 1 2 3
1 X gap 9
2 X insert-intention 9
3 X gap 9
end 1
locks
end 3
----
1: granted
2: waits for 1
3: granted
9: 2 X insert-intention waits
9: 3 X gap
wake 2: granted

# Locks are let go newest first, each granting before the next goes.
rules arrival
begin 1 2 3
1 X record 3
1 S record 4
2 X record 3
3 X record 4
end 1
----
1: granted
1: granted
2: waits for 1
3: waits for 1
wake 3: granted
wake 2: granted
