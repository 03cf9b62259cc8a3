package image_test

import "golang.org/x/sys/unix"

// becomeNobody gives this thread another user's rights to files.
func becomeNobody(uid int) error { return unix.Setfsuid(uid) }
