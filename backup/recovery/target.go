package recovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Directory is a [Target] that is a new folder, which only this user can enter. It serves one test at a time.
type Directory struct {
	parent string
	mu     sync.Mutex
	made   string
}

// In returns a Directory below a folder that is there, on the disk to restore to; "" is that for temporary files.
func In(parent string) *Directory { return &Directory{parent: parent} }

// Prepare implements [Target].
func (d *Directory) Prepare(context.Context) (path, proof string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made != "" {
		return "", "", errors.New("the folder of another test is still there")
	}
	path, err = os.MkdirTemp(d.parent, "recovery-")
	if err != nil {
		return "", "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	d.made = path
	list, err := os.ReadDir(path)
	if err == nil && len(list) > 0 {
		err = errors.New("the folder is not empty")
	}
	return path, fmt.Sprintf("%s, made for this test, empty, mode 0700", path), err
}

// Clean implements [Target].
func (d *Directory) Clean(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made == "" {
		return nil
	}
	_ = filepath.WalkDir(d.made, func(name string, e os.DirEntry, _ error) error { // folders that were restored read-only
		if e != nil && e.IsDir() {
			_ = os.Chmod(name, 0o700)
		}
		return nil
	})
	if err := os.RemoveAll(d.made); err != nil {
		return err
	}
	if _, err := os.Lstat(d.made); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is still there", d.made)
	}
	d.made = ""
	return nil
}
