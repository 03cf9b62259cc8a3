package rewrap_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

// void yields wrapped data keys and takes what comes: cryptography and the driver alone.
type void []rewrap.Object

func (v void) Objects(context.Context, string) iter.Seq2[rewrap.Object, error] {
	return func(yield func(rewrap.Object, error) bool) {
		for _, o := range v {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (v void) Swap(_ context.Context, changes []rewrap.Change) ([]bool, error) {
	done := make([]bool, len(changes))
	for i := range done {
		done[i] = true
	}
	return done, nil
}

// BenchmarkDriver is the cost of an object, beside that of opening and sealing alone.
func BenchmarkDriver(b *testing.B) {
	r := newRing(1, 2)
	objects := make(void, 10_000)
	for i := range objects {
		wrapped, err := r.with(1).Seal(nil, make([]byte, 32), keymgmt.Context{})
		require.NoError(b, err)
		objects[i] = rewrap.Object{ID: fmt.Sprintf("%06d", i), Wrapped: wrapped}
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		var plain, out []byte
		var err error
		for i := 0; b.Loop(); i++ {
			plain, err = r.Open(plain[:0], objects[i%len(objects)].Wrapped, keymgmt.Context{})
			if err == nil {
				out, err = r.Seal(out[:0], plain, keymgmt.Context{})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("driver", func(b *testing.B) {
		b.ReportAllocs()
		d, err := rewrap.New(job(2), objects, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 1}, rewrap.Options{
			Authorizer: opsec.CallerAuthorized{}, Recorder: new(audittest.Recorder),
		})
		require.NoError(b, err)
		left := b.N
		b.ResetTimer()
		for ; left > 0; left -= len(objects) {
			if _, err := d.Run(b.Context(), bob, rewrap.Checkpoint{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
