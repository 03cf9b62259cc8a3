package bolt

import (
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// create makes an empty store at path, whole or not at all. It returns [fs.ErrExist] if there is something.
func create(path string, mode fs.FileMode) error {
	err := publish(path, mode, func(temp *os.File) error {
		db, err := bbolt.Open(temp.Name(), 0, nil)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte(bucket))
			return err
		})
	})
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// publish calls fill with a temporary file beside path, makes durable what fill has left there, and gives it the name
// path, unless something has that name. After an error nothing is left behind.
func publish(path string, mode fs.FileMode, fill func(*os.File) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if err := fill(temp); err != nil {
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	return os.Link(temp.Name(), path) // unlike Rename it never replaces
}
