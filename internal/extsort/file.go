package extsort

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
)

// files are the runs of one Sorter. A run is a sequence of blocks, each its length in four bytes and then records under
// AES-256-GCM with a random nonce; the additional data say which block of which run it is, and whether it is the last.
type files struct {
	in   string
	dir  string
	aead cipher.AEAD
	next int
}

const (
	sealedBlock = 64 << 10             // of records, unless one is longer
	maxSealed   = 2*MaxRecord + 64<<10 // nothing longer is read
)

func (f *files) open() error {
	if f.dir != "" {
		return nil
	}
	var key [32]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	if f.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return err
	}
	f.dir, err = os.MkdirTemp(f.in, "extsort-*")
	return err
}

func (f *files) name(run int) string { return filepath.Join(f.dir, "run-"+strconv.Itoa(run)) }

func about(run, block int, last bool) []byte {
	ad := binary.BigEndian.AppendUint64(nil, uint64(run))
	ad = binary.BigEndian.AppendUint64(ad, uint64(block))
	if last {
		return append(ad, 1)
	}
	return append(ad, 0)
}

// write makes a run of records. What fails leaves no file.
func (f *files) write(records iter.Seq2[Record, error]) (run int, err error) {
	if err := f.open(); err != nil {
		return 0, fmt.Errorf("extsort: %w", err)
	}
	run = f.next
	f.next++
	file, err := os.OpenFile(f.name(run), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("extsort: %w", err)
	}
	w := &writer{f: f, run: run, out: bufio.NewWriterSize(file, sealedBlock)}
	for r, e := range records {
		if err = e; err == nil {
			err = w.add(r)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = w.block(true)
	}
	if err == nil {
		err = w.out.Flush()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		os.Remove(f.name(run))
		return 0, fmt.Errorf("extsort: run %d: %w", run, err)
	}
	return run, nil
}

type writer struct {
	f      *files
	run    int
	blocks int
	plain  []byte
	sealed []byte
	out    *bufio.Writer
}

func (w *writer) add(r Record) error {
	w.plain = binary.AppendUvarint(w.plain, uint64(len(r.Key)))
	w.plain = binary.AppendUvarint(w.plain, uint64(len(r.Value)))
	w.plain = append(append(w.plain, r.Key...), r.Value...)
	if len(w.plain) < sealedBlock {
		return nil
	}
	return w.block(false)
}

func (w *writer) block(last bool) error {
	w.sealed = w.f.aead.Seal(w.sealed[:0], nil, w.plain, about(w.run, w.blocks, last))
	w.blocks++
	w.plain = w.plain[:0]
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(w.sealed)))
	if _, err := w.out.Write(length[:]); err != nil {
		return err
	}
	_, err := w.out.Write(w.sealed)
	return err
}

// read yields the records of a run.
func (f *files) read(run int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		file, err := os.Open(f.name(run))
		if err != nil {
			yield(Record{}, fmt.Errorf("extsort: %w", err))
			return
		}
		defer file.Close()
		in := bufio.NewReaderSize(file, sealedBlock)
		var sealed, plain []byte
		for block := 0; ; block++ {
			if sealed, err = readBlock(in, sealed); err != nil {
				yield(Record{}, fmt.Errorf("extsort: run %d: block %d: %w", run, block, err))
				return
			}
			_, err = in.Peek(1)
			last := err == io.EOF
			if plain, err = f.aead.Open(plain[:0], nil, sealed, about(run, block, last)); err != nil {
				yield(Record{}, fmt.Errorf("extsort: run %d: block %d is not what was written", run, block))
				return
			}
			for rest := plain; len(rest) > 0; {
				var r Record
				r, rest = cut(rest)
				if !yield(r, nil) {
					return
				}
			}
			if last {
				return
			}
		}
	}
}

// cut takes a record off a block, which is what write made: it was authenticated.
func cut(b []byte) (Record, []byte) {
	key, n := binary.Uvarint(b)
	value, m := binary.Uvarint(b[n:])
	b = b[n+m:]
	return Record{b[:key:key], b[key : key+value : key+value]}, b[key+value:]
}

func readBlock(in *bufio.Reader, into []byte) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, noEOF(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxSealed {
		return nil, errors.New("is not what was written")
	}
	if uint32(cap(into)) < n {
		into = make([]byte, n)
	}
	_, err := io.ReadFull(in, into[:n])
	return into[:n], noEOF(err)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *files) remove(run int) error {
	if err := os.Remove(f.name(run)); err != nil {
		return fmt.Errorf("extsort: %w", err)
	}
	return nil
}

func (f *files) close() error {
	if f.dir == "" {
		return nil
	}
	dir := f.dir
	f.dir = ""
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("extsort: %w", err)
	}
	return nil
}
