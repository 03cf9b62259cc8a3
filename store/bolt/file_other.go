//go:build android || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package bolt

import "os"

// Here the lock that bbolt takes is the only one.
func lock(*os.File) error { return nil }

func unlock(*os.File) {}

// Not everywhere here can a directory be opened and synced.
func syncDir(string) error { return nil }
