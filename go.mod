module github.com/cloudopsec/opsec

go 1.26
