package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

// volume is a tenant's directory of encrypted files.
type volume struct {
	dir string
	env *envelope.Envelope
}

// context binds a file to the tenant and its place: swapped with another it does not open.
func (v volume) context(name string) (keymgmt.Context, error) {
	return keymgmt.NewContext("tenant", string(acme.Tenant), "path", name)
}

// take encrypts the files below src into the volume, and returns how many there are.
func (v volume) take(ctx context.Context, src string) (n int, err error) {
	names, err := regular(src)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		c, err := v.context(name)
		if err != nil {
			return n, err
		}
		to := filepath.Join(v.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return n, err
		}
		if err := v.env.EncryptFile(ctx, to, filepath.Join(src, filepath.FromSlash(name)), c, nil); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// give decrypts one file into a writer.
func (v volume) give(ctx context.Context, name string, w io.Writer) error {
	c, err := v.context(name)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(v.dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := v.env.Decrypt(ctx, f, c, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// copied is a copy of an encrypted file, such as lies in an old backup.
type copied struct {
	name    string
	content []byte
}

func (v volume) copy() (c copied, err error) {
	names, err := regular(v.dir)
	if err != nil || len(names) == 0 {
		return c, errors.Join(errors.New("there are no files"), err)
	}
	c.name = names[0]
	c.content, err = os.ReadFile(filepath.Join(v.dir, filepath.FromSlash(c.name)))
	return c, err
}

// rewrap moves each file's data key to the key that protects now; the file's content stays as it is.
func (v volume) rewrap(ctx context.Context) error {
	names, err := regular(v.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		c, err := v.context(name)
		if err != nil {
			return err
		}
		if err := v.env.RewrapFile(ctx, filepath.Join(v.dir, filepath.FromSlash(name)), c); err != nil {
			return err
		}
	}
	return nil
}

// Objects implements [rewrap.Lister]: of each file its head, which names the key.
func (v volume) Objects(_ context.Context, after string) iter.Seq2[rewrap.Object, error] {
	return func(yield func(rewrap.Object, error) bool) {
		names, err := regular(v.dir)
		if err != nil {
			yield(rewrap.Object{}, err)
			return
		}
		for _, name := range names {
			if name <= after {
				continue
			}
			head, err := headOf(filepath.Join(v.dir, filepath.FromSlash(name)))
			if !yield(rewrap.Object{ID: name, Wrapped: head}, err) || err != nil {
				return
			}
		}
	}
}

func headOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<10))
}

// regular returns the regular files below a directory, in bytewise order of their paths.
func regular(dir string) (names []string, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	return names, err
}
