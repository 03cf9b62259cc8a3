package envelope

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/cloudopsec/opsec/keymgmt"
)

const segmentBytes = 1 << 20 // of ciphertext

// Encrypt returns a writer that encrypts to dst, with about 2 MiB of memory whatever the length: the length of the
// wrapped data key (4 bytes, big endian), the wrapped data key, and a stream of Tink's AES256_GCM_HKDF_1MB. Each stream
// has a data key of its own, never one from the cache; ctx is for wrapping it alone. progress, which may be nil, is told
// how many bytes of plaintext there have been, after each Write.
//
// Close writes the end of the stream, without which it counts as cut: do not call it when the source has failed. It does
// not close dst. After an error of dst, Write and Close return that error and write no more.
func (e *Envelope) Encrypt(ctx context.Context, dst io.Writer, c keymgmt.Context, progress func(int64)) (io.WriteCloser, error) {
	kek, err := e.kek(ctx)
	if err != nil {
		return nil, err
	}
	raw, header, err := wrap(ctx, kek, c, streamKind)
	if err != nil {
		return nil, err
	}
	s, err := streamOf(raw)
	if err != nil {
		return nil, err
	}
	if _, err := dst.Write(header); err != nil {
		return nil, err
	}
	w, err := s.NewEncryptingWriter(dst, c.Bytes())
	if err != nil {
		return nil, err
	}
	return &writer{w: w, meter: meter{progress: progress}}, nil
}

// Decrypt returns a reader of what was written through [Envelope.Encrypt] under the same context. What it returns is
// authentic as far as it goes; io.EOF, and nothing else, says that it was all. A stream that was changed, cut anywhere,
// or put in another order ends with [ErrOpen]; an error of src with that error. Either stays.
func (e *Envelope) Decrypt(ctx context.Context, src io.Reader, c keymgmt.Context, progress func(int64)) (io.Reader, error) {
	wrapped, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	kek, err := e.kek(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := kek.Unwrap(ctx, wrapped, c)
	if err != nil {
		return nil, err
	}
	s, err := streamOf(raw)
	if err != nil {
		return nil, err
	}
	from := &source{src: src}
	r, err := s.NewDecryptingReader(from, c.Bytes())
	if err != nil {
		return nil, from.cause()
	}
	return &reader{r: r, src: from, meter: meter{progress: progress}}, nil
}

// RewrapStream is [Envelope.Rewrap] for a stream. An error may leave a part of it in dst.
func (e *Envelope) RewrapStream(ctx context.Context, dst io.Writer, src io.Reader, c keymgmt.Context) error {
	wrapped, err := readHeader(src)
	if err != nil {
		return err
	}
	header, err := e.rewrap(ctx, wrapped, c, streamKind)
	if err != nil {
		return err
	}
	if _, err := dst.Write(header); err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return err
}

// streamOf returns the cipher of a raw data key, and clears it.
func streamOf(raw []byte) (*subtle.AESGCMHKDF, error) {
	defer clear(raw)
	key, err := keyOf(raw, streamKind)
	if err != nil {
		return nil, err
	}
	return subtle.NewAESGCMHKDF(key, "SHA256", keyBytes, segmentBytes, 0)
}

// readHeader reads the wrapped data key in front of a stream.
func readHeader(src io.Reader) ([]byte, error) {
	from := &source{src: src}
	var head [headBytes]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, from.cause()
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > maxWrapped {
		return nil, ErrOpen
	}
	wrapped := make([]byte, n)
	if _, err := io.ReadFull(from, wrapped); err != nil {
		return nil, from.cause()
	}
	return wrapped, nil
}

// source remembers what a reader has failed with, to be told from what does not decrypt.
type source struct {
	src io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// cause is the error of the source or, when it has none, ErrOpen.
func (s *source) cause() error {
	if s.err != nil {
		return s.err
	}
	return ErrOpen
}

// meter counts plaintext.
type meter struct {
	progress func(int64)
	bytes    int64
}

func (m *meter) add(n int) {
	m.bytes += int64(n)
	if m.progress != nil && n > 0 {
		m.progress(m.bytes)
	}
}

var errClosed = errors.New("envelope: stream is closed")

type writer struct {
	w   io.WriteCloser
	err error // stays
	meter
}

func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(p)
	w.err = err
	w.add(n)
	return n, err
}

func (w *writer) Close() error {
	if w.err != nil { // what has been written stays cut
		if w.err == errClosed {
			return nil
		}
		return w.err
	}
	if w.err = w.w.Close(); w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}

type reader struct {
	r   io.Reader
	src *source
	err error // stays, also io.EOF: Tink's reader would go on after an error
	meter
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.r.Read(p)
	switch {
	case err == nil, err == io.EOF:
		r.err = err
	default:
		r.err = r.src.cause()
	}
	r.add(n)
	return n, r.err
}
