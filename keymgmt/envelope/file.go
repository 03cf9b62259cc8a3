package envelope

import (
	"context"
	"io"
	"os"

	"github.com/cloudopsec/opsec/internal/wholefile"
	"github.com/cloudopsec/opsec/keymgmt"
)

// EncryptFile encrypts the file src to the file dst, which may be the same, as [Envelope.Encrypt] does. It writes to a
// temporary file beside dst, makes it durable, and renames it: dst is as it was, or whole. Only its owner may read dst.
func (e *Envelope) EncryptFile(ctx context.Context, dst, src string, c keymgmt.Context, progress func(int64)) error {
	return convert(ctx, dst, src, func(to io.Writer, from io.Reader) error {
		w, err := e.Encrypt(ctx, to, c, progress)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, from); err != nil {
			return err // without the end: whatever may be left of it is known as cut
		}
		return w.Close()
	})
}

// DecryptFile decrypts the file src to the file dst in the same way: dst appears when all of src has proved authentic. Until
// then the plaintext is in the temporary file, which only its owner may read, and which a process that is killed leaves
// behind: ".", the name of dst, "." and digits. A dst that is a device or a pipe gets what has proved authentic as it comes.
func (e *Envelope) DecryptFile(ctx context.Context, dst, src string, c keymgmt.Context, progress func(int64)) error {
	return convert(ctx, dst, src, func(to io.Writer, from io.Reader) error {
		r, err := e.Decrypt(ctx, from, c, progress)
		if err != nil {
			return err
		}
		_, err = io.Copy(to, r)
		return err
	})
}

// RewrapFile is [Envelope.Rewrap] for a file, in place, in the same way.
func (e *Envelope) RewrapFile(ctx context.Context, name string, c keymgmt.Context) error {
	return convert(ctx, name, name, func(to io.Writer, from io.Reader) error {
		return e.RewrapStream(ctx, to, from, c)
	})
}

func convert(ctx context.Context, dst, src string, fn func(io.Writer, io.Reader) error) error {
	f, err := os.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	return wholefile.Write(dst, 0o600, func(w io.Writer) error { return fn(w, contextReader{ctx, f}) })
}

// contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
