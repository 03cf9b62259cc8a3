package custody

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// KMS is a custodian over AEADs of Tink, one for each handle: a key management service, through its Tink client.
type KMS struct {
	aead func(handle string) (tink.AEAD, error)
	o    KMSOptions
}

var _ keymgmt.Custodian = (*KMS)(nil)

// KMSOptions are optional. What the service can do beyond encrypting and decrypting, its client does here.
type KMSOptions struct {
	Name string           // in evidence; "key management service" when empty
	Now  func() time.Time // time.Now when nil

	// Generate makes the key of a handle, unless there is one. When nil, keys are made outside, and Generate only
	// sees whether this one works.
	Generate func(ctx context.Context, handle string) error
	// Destroy destroys it, and fills in Method, Copies and Left. When nil, Destroy returns evidence without copies,
	// in which the key is left.
	Destroy func(ctx context.Context, handle string) (keymgmt.Evidence, error)
	// NotFound reports whether an error of the client says that there is no such key. When nil, only errors that wrap
	// opsec.ErrNotFound do; all others count as "unavailable".
	NotFound func(error) bool
}

// NewKMS returns a custodian over aead, which returns the AEAD of a handle: the GetAEAD of a Tink client does, when handles
// are its key URIs. An AEAD that has a method EncryptWithContext and DecryptWithContext ([tink.AEADWithContext]) is called
// by these. One that has not is waited for until the context ends, and then left to end by itself.
func NewKMS(aead func(handle string) (tink.AEAD, error), o *KMSOptions) (*KMS, error) {
	if aead == nil {
		return nil, invalid("aead: nil")
	}
	k := &KMS{aead: aead}
	if o != nil {
		k.o = *o
	}
	if k.o.Name == "" {
		k.o.Name = "key management service"
	}
	if k.o.Now == nil {
		k.o.Now = time.Now
	}
	return k, nil
}

// Generate implements [keymgmt.Custodian].
func (k *KMS) Generate(ctx context.Context, handle string) error {
	key, err := k.key(ctx, handle, nil)
	if k.o.Generate != nil {
		if err != nil && !errors.Is(err, opsec.ErrNotFound) {
			return err
		}
		if err := k.o.Generate(ctx, handle); err != nil {
			return k.failed("generate", err)
		}
		return nil
	}
	if err == nil {
		err = k.probe(ctx, key)
	}
	return err
}

// Wrap implements [keymgmt.Custodian]: what it returns is the ciphertext of the AEAD. Services have limits of their own: AWS
// KMS encrypts 4,096 bytes at most, says its API reference of Encrypt.
func (k *KMS) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	if err := validMaterial("material", material); err != nil {
		return nil, err
	}
	key, err := k.key(ctx, handle, associatedData)
	if err != nil {
		return nil, err
	}
	wrapped, err := key.EncryptWithContext(ctx, material, associatedData)
	if err != nil {
		return nil, k.failed("wrap", err)
	}
	return wrapped, nil
}

// Unwrap implements [keymgmt.Custodian]. Why a decryption has failed is not for AEADs to say: when the same key encrypts and
// decrypts a probe, and then again fails with what it was given, that does not open. So a failure costs three calls more.
func (k *KMS) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	key, err := k.key(ctx, handle, associatedData)
	if err != nil {
		return nil, err
	}
	material, err := key.DecryptWithContext(ctx, wrapped, associatedData)
	if err == nil {
		return material, nil
	}
	if k.notFound(err) || ctx.Err() != nil {
		return nil, k.failed("unwrap", err)
	}
	if err := k.probe(ctx, key); err != nil {
		return nil, err
	}
	if material, err = key.DecryptWithContext(ctx, wrapped, associatedData); err == nil {
		return material, nil
	}
	if k.notFound(err) || ctx.Err() != nil {
		return nil, k.failed("unwrap", err)
	}
	return nil, keymgmt.ErrUnwrap
}

// Destroy implements [keymgmt.Custodian].
func (k *KMS) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	if err := errors.Join(ctx.Err(), validHandle(handle)); err != nil {
		return keymgmt.Evidence{}, err
	}
	e := keymgmt.Evidence{Method: "none: the service is not asked", Left: []string{"the key in the service"}}
	if k.o.Destroy != nil {
		var err error
		if e, err = k.o.Destroy(ctx, handle); err != nil {
			if !k.notFound(err) {
				return keymgmt.Evidence{}, k.failed("destroy", err)
			}
			e = keymgmt.Evidence{Method: "none: no key"}
		}
	}
	e.Custodian, e.Handle, e.Time = k.o.Name, handle, k.o.Now().UTC()
	return e, nil
}

func (k *KMS) key(ctx context.Context, handle string, associatedData []byte) (tink.AEADWithContext, error) {
	if err := errors.Join(ctx.Err(), validHandle(handle), validAssociated(associatedData)); err != nil {
		return nil, err
	}
	key, err := k.aead(handle)
	if err != nil {
		return nil, k.failed("handle", err)
	}
	if with, ok := key.(tink.AEADWithContext); ok {
		return with, nil
	}
	return patient{key}, nil
}

// probe sees whether a key encrypts and decrypts.
func (k *KMS) probe(ctx context.Context, key tink.AEADWithContext) error {
	text, data := []byte("probe"), bound("probe", "")
	wrapped, err := key.EncryptWithContext(ctx, text, data)
	if err != nil {
		return k.failed("probe", err)
	}
	got, err := key.DecryptWithContext(ctx, wrapped, data)
	if err == nil && !bytes.Equal(got, text) {
		err = errors.New("does not give back what it was given")
	}
	if err != nil {
		return k.failed("probe", err)
	}
	return nil
}

func (k *KMS) notFound(err error) bool {
	return errors.Is(err, opsec.ErrNotFound) || k.o.NotFound != nil && k.o.NotFound(err)
}

func (k *KMS) failed(what string, err error) error {
	if k.notFound(err) {
		return fmt.Errorf("custody: %s: %s: %w", k.o.Name, what, opsec.ErrNotFound)
	}
	return unavailable(k.o.Name+": "+what, err)
}

// patient waits for an AEAD that knows no context.
type patient struct{ tink.AEAD }

func (p patient) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	return await(ctx, p.Encrypt, plaintext, associatedData)
}

func (p patient) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	return await(ctx, p.Decrypt, ciphertext, associatedData)
}

// await calls fn with copies: the caller may clear or reuse its own when it has given up.
func await(ctx context.Context, fn func(text, data []byte) ([]byte, error), text, data []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type answer struct {
		b   []byte
		err error
	}
	text, data = bytes.Clone(text), bytes.Clone(data)
	done := make(chan answer, 1)
	go func() {
		defer clear(text)
		b, err := fn(text, data)
		done <- answer{bytes.Clone(b), err} // fn may return what it was given
	}()
	select {
	case a := <-done:
		return a.b, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
