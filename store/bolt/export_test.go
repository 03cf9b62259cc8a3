package bolt

import (
	"bytes"
	"hash/fnv"
	"os"
)

// Layout is the name of the bucket.
const Layout = bucket

// SealBytes is the length of the seal of a backup.
const SealBytes = sealBytes

// Hold keeps the lead from writing until release is called.
func (d *Driver) Hold() (release func()) {
	tx, err := d.db.Begin(true)
	if err != nil {
		panic(err)
	}
	return func() { tx.Rollback() }
}

// Waiting says how many commits are in the queue.
func (d *Driver) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting)
}

// Led reports whether somebody leads.
func (d *Driver) Led() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.led
}

// Failed is what the driver does when a transaction that began at that revision has failed to commit.
func (d *Driver) Failed(before uint64, cause error) error { return d.aftermath(before, cause) }

// Seal appends the seal that Backup would write.
func Seal(image []byte, records int64) []byte {
	var out seen
	s := newSealer(&out, func() error { return nil })
	s.Write(image)
	s.seal(records)
	return out
}

type seen []byte

func (s *seen) Write(p []byte) (int, error) { *s = append(*s, p...); return len(p), nil }

// Remade returns the image with the checksums of its meta pages made right, so that a fuzzer gets behind them.
func Remade(image []byte) []byte {
	image = bytes.Clone(image)
	for _, at := range []int{0, os.Getpagesize()} {
		if len(image) >= at+header+metaBytes {
			sum := fnv.New64a()
			sum.Write(image[at+header:][:56])
			native.PutUint64(image[at+header+56:], sum.Sum64())
		}
	}
	return image
}
