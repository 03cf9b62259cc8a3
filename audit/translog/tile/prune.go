package tile

import "os"

// Prune removes the entry bundles wholly below before.
func Prune(root *os.Root, before uint64) error { return nil }
