package digest

import (
	"bytes"
	"context"
	"io"

	"lukechampine.com/blake3/guts"
)

// Sums are the digests of one content.
type Sums struct {
	Size   int64  // bytes
	BLAKE3 Digest // as b3sum prints it
	SHA256 Digest // zero unless asked for
}

// Options are the choices of [Sum] and its kin. Nil stands for the zero value.
type Options struct {
	// SHA256 adds that digest, from the same single read. SHA-256 is serial, and runs beside BLAKE3 on one core: it
	// bounds the speed to that core's, some 2 GB/s with the SHA instructions.
	SHA256 bool
	// Workers is the number of goroutines that hash; below 1 stands for GOMAXPROCS, and more than 32 for 32, which
	// already hash faster than memory is read.
	Workers int
}

func (o *Options) scan() Scan {
	if o == nil {
		o = new(Options)
	}
	return Scan{SHA256: o.SHA256, Workers: o.Workers}
}

// Sum returns the digests of p. Above 1 MiB it uses all the workers that opts allows.
func Sum(p []byte, opts *Options) Sums {
	s := opts.scan()
	if len(p) <= 1<<20 {
		var h *Hasher
		if len(p) > guts.ChunkSize { // below, clearing the scratch space would cost more than hashing without it
			h = new(Hasher)
		}
		return h.Sum(p, s.SHA256)
	}
	// Staging through the workers' buffers, as for a file, is faster than hashing in place: the vector code walks
	// 16 chunks at once, a pattern that is slow to come from memory and quick to come from the core's own cache.
	sums, _, err := s.ReaderAt(context.Background(), bytes.NewReader(p), int64(len(p)))
	if err != nil {
		panic(err) // a bytes.Reader does not fail
	}
	return sums
}

// SumReaderAt returns the digests of the first size bytes of r, each of which it reads once, about in order and from
// several goroutines at a time (see [io.ReaderAt]), or from one if opts allows one worker. It needs 0.5 MiB of memory
// for each worker, and 1 MiB with SHA-256, whatever the size.
//
// A content shorter than size is an error that wraps [io.ErrUnexpectedEOF]; whether there is more than size is not
// looked at. An error of r is wrapped with its offset. When ctx ends, SumReaderAt waits for the reads under way (an
// r that blocks should watch ctx itself) and returns the context's error. All goroutines have ended when it returns.
func SumReaderAt(ctx context.Context, r io.ReaderAt, size int64, opts *Options) (Sums, error) {
	sums, _, err := opts.scan().ReaderAt(ctx, r, size)
	return sums, err
}
