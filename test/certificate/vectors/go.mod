module certkeep.dev/vectors

go 1.26
