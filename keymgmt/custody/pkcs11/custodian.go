package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

const (
	nonceSize = 12
	tagSize   = 16
	idSize    = 16
)

func label(handle string) string { return "opsec: " + handle }

// Generate implements [keymgmt.Custodian], by C_GenerateKey.
func (t *Token) Generate(ctx context.Context, handle string) error {
	if err := errors.Join(ctx.Err(), validHandle(handle)); err != nil {
		return err
	}
	_, err := call(ctx, t, func(s p11.SessionHandle) (struct{}, error) {
		t.generating.Lock() // two at once in one process need not make two keys
		defer t.generating.Unlock()
		if _, err := t.keys(s, handle); !errors.Is(err, opsec.ErrNotFound) {
			return struct{}{}, err
		}
		id := make([]byte, idSize)
		rand.Read(id)
		mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}
		key, err := t.m.lib.GenerateKey(s, mechanism, keyTemplate(label(handle), id))
		if err != nil {
			return struct{}{}, failed("C_GenerateKey", err)
		}
		if err := t.safe(s, key); err != nil {
			return struct{}{}, errors.Join(err, failed("C_DestroyObject", t.m.lib.DestroyObject(s, key)))
		}
		return struct{}{}, nil
	})
	return err
}

// Wrap implements [keymgmt.Custodian], by CKM_AES_GCM.
func (t *Token) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	if err := errors.Join(ctx.Err(), validHandle(handle), bounded(associatedData)); err != nil {
		return nil, err
	}
	if len(material) == 0 || len(material) > maxMaterial {
		return nil, invalid("material of %d bytes: want 1 to %d", len(material), maxMaterial)
	}
	material, associatedData = bytes.Clone(material), bytes.Clone(associatedData)
	return call(ctx, t, func(s p11.SessionHandle) ([]byte, error) {
		keys, err := t.keys(s, handle)
		if err != nil {
			return nil, err
		}
		return t.encrypt(s, keys[0], material, associatedData)
	}, material...)
}

// Unwrap implements [keymgmt.Custodian].
func (t *Token) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	if err := errors.Join(ctx.Err(), validHandle(handle), bounded(associatedData)); err != nil {
		return nil, err
	}
	wrapped, associatedData = bytes.Clone(wrapped), bytes.Clone(associatedData)
	return call(ctx, t, func(s p11.SessionHandle) ([]byte, error) {
		keys, err := t.keys(s, handle)
		if err != nil {
			return nil, err
		}
		if len(wrapped) <= nonceSize+tagSize || len(wrapped) > nonceSize+maxMaterial+tagSize {
			return nil, keymgmt.ErrUnwrap
		}
		for _, key := range keys {
			if material, err := t.decrypt(s, key, wrapped, associatedData); err == nil {
				return material, nil
			}
		}
		// Devices say in different ways that a tag is wrong, or say no more than that something is. When a key opens what
		// it has just closed, what was given is at fault.
		probe := []byte("probe")
		closed, err := t.encrypt(s, keys[0], probe, nil)
		if err != nil {
			return nil, err
		}
		if opened, err := t.decrypt(s, keys[0], closed, nil); err != nil {
			return nil, err
		} else if !bytes.Equal(opened, probe) {
			return nil, fmt.Errorf("pkcs11: the token does not decrypt what it encrypts: %w", keymgmt.ErrUnavailable)
		}
		return nil, keymgmt.ErrUnwrap
	})
}

// Destroy implements [keymgmt.Custodian], by C_DestroyObject, for all objects that have the handle. Then it looks whether
// they have gone.
func (t *Token) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	if err := errors.Join(ctx.Err(), validHandle(handle)); err != nil {
		return keymgmt.Evidence{}, err
	}
	copies := map[string]bool{} // found at any try
	return call(ctx, t, func(s p11.SessionHandle) (keymgmt.Evidence, error) {
		for round := 0; ; round++ {
			found, err := t.search(s, keySearch(label(handle)))
			if err != nil {
				return keymgmt.Evidence{}, err
			}
			if len(found) == 0 {
				break
			}
			if round == 16 {
				return keymgmt.Evidence{}, fmt.Errorf("pkcs11: objects that were destroyed are still there: %w", keymgmt.ErrUnavailable)
			}
			for _, key := range found {
				name := t.describe(s, key)
				err := t.m.lib.DestroyObject(s, key)
				if err != nil && !errors.Is(err, p11.Error(p11.CKR_OBJECT_HANDLE_INVALID)) { // that one, another has destroyed
					return keymgmt.Evidence{}, failed("C_DestroyObject", err)
				}
				copies[name] = true
			}
		}
		if err := t.alive(s); err != nil {
			return keymgmt.Evidence{}, err
		}
		e := keymgmt.Evidence{Custodian: t.o.Name, Handle: handle, Method: "none: no key", Time: t.o.Now().UTC()}
		if len(copies) > 0 {
			e.Method = "C_DestroyObject"
			e.Left = []string{"backups and replicas of the token, if its maker provides for them"}
		}
		e.Copies = slices.Sorted(maps.Keys(copies))
		return e, nil
	})
}

// describe names an object for evidence.
func (t *Token) describe(s p11.SessionHandle, key p11.ObjectHandle) string {
	id := "unknown"
	if a, err := t.m.lib.GetAttributeValue(s, key, []*p11.Attribute{p11.NewAttribute(p11.CKA_ID, nil)}); err == nil && len(a) == 1 {
		id = hex.EncodeToString(a[0].Value)
	}
	return fmt.Sprintf("token %q, serial number %q: object %s", t.name.Label, t.name.Serial, id)
}

// keys returns the keys of a handle: one, or more where several processes have generated it at the same time. Objects that are
// not safe are not used. One may become so: a library may show a key that is still being made.
func (t *Token) keys(s p11.SessionHandle, handle string) ([]p11.ObjectHandle, error) {
	var refused error
	for range 20 {
		found, err := t.search(s, keySearch(label(handle)))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			if err := t.alive(s); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("pkcs11: handle %q: %w", handle, opsec.ErrNotFound)
		}
		var keys []p11.ObjectHandle
		for _, key := range found {
			switch err := t.safe(s, key); {
			case err == nil:
				keys = append(keys, key)
			case errors.Is(err, opsec.ErrDenied), errors.Is(err, errGoing):
				refused = err
			default:
				return nil, err
			}
		}
		if len(keys) > 0 {
			return keys, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("handle %q: %w", handle, refused)
}

// safe refuses a key that is not, or was not always, out of reach: one that somebody has put there, for instance.
func (t *Token) safe(s p11.SessionHandle, key p11.ObjectHandle) error {
	want := []struct {
		attribute uint
		name      string
		value     byte
	}{
		{p11.CKA_SENSITIVE, "CKA_SENSITIVE", 1}, {p11.CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", 1},
		{p11.CKA_EXTRACTABLE, "CKA_EXTRACTABLE", 0}, {p11.CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", 1},
		{p11.CKA_LOCAL, "CKA_LOCAL", 1}, {p11.CKA_WRAP, "CKA_WRAP", 0}, {p11.CKA_UNWRAP, "CKA_UNWRAP", 0},
		{p11.CKA_MODIFIABLE, "CKA_MODIFIABLE", 0}, {p11.CKA_DERIVE, "CKA_DERIVE", 0},
	}
	ask := make([]*p11.Attribute, len(want))
	for i, w := range want {
		ask[i] = p11.NewAttribute(w.attribute, nil)
	}
	is, err := t.m.lib.GetAttributeValue(s, key, ask)
	switch {
	case errors.Is(err, p11.Error(p11.CKR_ATTRIBUTE_VALUE_INVALID)), errors.Is(err, p11.Error(p11.CKR_OBJECT_HANDLE_INVALID)):
		// SoftHSM says the first when the token, or the object, is just going.
		if gone := t.alive(s); gone != nil {
			return gone
		}
		return fmt.Errorf("%w: %w", errGoing, failed("C_GetAttributeValue", err))
	case err != nil:
		return failed("C_GetAttributeValue", err)
	}
	for i, w := range want {
		if len(is[i].Value) != 1 || is[i].Value[0] != w.value {
			return fmt.Errorf("pkcs11: a key whose %s is not %d: %w", w.name, w.value, opsec.ErrDenied)
		}
	}
	return nil
}

func (t *Token) encrypt(s p11.SessionHandle, key p11.ObjectHandle, text, data []byte) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	params := p11.NewGCMParams(nonce, data, 8*tagSize)
	defer params.Free()
	if err := t.m.lib.EncryptInit(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_GCM, params)}, key); err != nil {
		return nil, failed("C_EncryptInit", err)
	}
	sealed, err := t.m.lib.Encrypt(s, text)
	if err != nil {
		return nil, failed("C_Encrypt", err)
	}
	if nonce = params.IV(); len(nonce) != nonceSize || len(sealed) != len(text)+tagSize { // some devices choose it themselves
		return nil, fmt.Errorf("pkcs11: C_Encrypt: nonce of %d bytes, ciphertext of %d: %w", len(nonce), len(sealed), errors.ErrUnsupported)
	}
	return append(nonce, sealed...), nil
}

func (t *Token) decrypt(s p11.SessionHandle, key p11.ObjectHandle, sealed, data []byte) ([]byte, error) {
	params := p11.NewGCMParams(sealed[:nonceSize], data, 8*tagSize)
	defer params.Free()
	if err := t.m.lib.DecryptInit(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_GCM, params)}, key); err != nil {
		return nil, failed("C_DecryptInit", err)
	}
	text, err := t.m.lib.Decrypt(s, sealed[nonceSize:])
	if err != nil {
		return nil, failed("C_Decrypt", err)
	}
	return text, nil
}

func bounded(data []byte) error {
	if len(data) > maxMaterial {
		return invalid("associated data of %d bytes: want at most %d", len(data), maxMaterial)
	}
	return nil
}
