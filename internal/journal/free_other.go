//go:build !(linux || darwin || freebsd)

package journal

import "os"

func freeBytes(*os.Root) (free int64, known bool) { return 0, false }
