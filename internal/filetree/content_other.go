//go:build !linux

package filetree

import "os"

func forListing(dir *os.File) (*os.File, error) { return dir, nil }

func (f *Folder) openFile(name string) (Content, error) { return openPortably(f.root, name) }
