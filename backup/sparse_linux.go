package backup

import (
	"io/fs"
	"os"
	"syscall"
)

// hasHoles reports whether the file system knows of a hole before the file's end. It asks (lseek, SEEK_HOLE) only
// where fewer blocks are allocated than the size needs.
func hasHoles(c content, info fs.FileInfo) bool {
	const seekHole = 4
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Blocks*512 >= info.Size() {
		return false
	}
	f, ok := c.(*os.File)
	if !ok {
		return false
	}
	hole, err := f.Seek(0, seekHole)
	return err == nil && hole < info.Size()
}
