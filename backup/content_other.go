//go:build !linux

package backup

import "os"

func forListing(dir *os.File) (*os.File, error) { return dir, nil }

func (f *folder) openFile(name string) (content, error) { return openPortably(f.root, name) }
