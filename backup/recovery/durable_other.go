//go:build !linux

package recovery

import (
	"errors"
	"os"
)

func synced(f *os.File) error { return f.Sync() }

func settle(into *os.Root, name string) error {
	d, err := into.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func flush(into *os.Root) error { return settle(into, ".") }
