//go:build !linux

package filetree

import "os"

func forListing(dir *os.File) (*os.File, error) { return dir, nil }

// openFile opens a file below the [os.Root], which follows a link that has taken the file's place, but not out of its
// directory.
func (f *Folder) openFile(name string) (Content, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	return fsFile{file, file}, nil
}
