package pkcs11

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Module is a PKCS #11 library that is loaded and initialized.
type Module struct {
	ours bool // initialized here, so that it may be anew

	mu    sync.RWMutex // held for reading in every call, for writing by what ends all sessions
	lib   *p11.Ctx     // nil when closed
	epoch uint64       // grows when all sessions have ended
}

// Load loads and initializes a library. One that something else in this process has initialized is used as it is; it
// does then not come back by itself when it has lost all of its tokens.
func Load(path string) (*Module, error) {
	lib := p11.New(path)
	if lib == nil {
		return nil, fmt.Errorf("pkcs11: library %s cannot be loaded: %w", path, opsec.ErrNotFound)
	}
	err := lib.Initialize()
	if err != nil && !errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		lib.Destroy()
		return nil, failed("C_Initialize", err)
	}
	return &Module{lib: lib, ours: err == nil}, nil
}

// Close ends all sessions, waiting for calls that are under way, and unloads the library.
func (m *Module) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lib == nil {
		return nil
	}
	var err error
	if m.ours {
		err = failed("C_Finalize", m.lib.Finalize())
	}
	m.lib.Destroy()
	m.lib = nil
	return err
}

var errClosed = fmt.Errorf("pkcs11: closed: %w", keymgmt.ErrUnavailable)

// Name names a token: by its label, its serial number, or both.
type Name struct{ Label, Serial string }

// find returns the slot of the only token of a name, and its whole name. The caller holds m.mu.
func (m *Module) find(name Name) (uint, Name, error) {
	if m.lib == nil {
		return 0, name, errClosed
	}
	slots, err := m.lib.GetSlotList(true)
	if err != nil {
		return 0, name, failed("C_GetSlotList", err)
	}
	var found []uint
	whole := name
	for _, slot := range slots {
		info, err := m.lib.GetTokenInfo(slot)
		if err != nil || info.Flags&p11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		is := Name{info.Label, info.SerialNumber}
		if (name.Label == "" || name.Label == is.Label) && (name.Serial == "" || name.Serial == is.Serial) {
			found, whole = append(found, slot), is
		}
	}
	switch len(found) {
	case 1:
		return found[0], whole, nil
	case 0:
		return 0, name, fmt.Errorf("pkcs11: no token %q with serial number %q: %w", name.Label, name.Serial, keymgmt.ErrUnavailable)
	}
	return 0, name, invalid("%d tokens are called %q: give a serial number", len(found), name.Label)
}

// restart ends all sessions on the slot, and all of the library if that is needed, until check is satisfied. Whoever asks for
// it after another has done so since epoch has nothing to do.
func (m *Module) restart(epoch uint64, slot uint, check func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lib == nil {
		return errClosed
	}
	if m.epoch != epoch {
		return nil
	}
	m.lib.CloseAllSessions(slot)
	m.epoch++
	err := check()
	if err == nil || !m.ours || !errors.Is(err, keymgmt.ErrUnavailable) {
		return err
	}
	m.lib.Finalize()
	m.epoch++
	if err := m.lib.Initialize(); err != nil && !errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return failed("C_Initialize", err)
	}
	return check()
}

// attributes that every key here has. CKA_VALUE_LEN is in no answer that is needed.
func keyTemplate(label string, id []byte) []*p11.Attribute {
	return slices.Concat(keySearch(label), []*p11.Attribute{
		p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_AES),
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32),
		p11.NewAttribute(p11.CKA_ID, id),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_MODIFIABLE, false),
		p11.NewAttribute(p11.CKA_ENCRYPT, true),
		p11.NewAttribute(p11.CKA_DECRYPT, true),
		p11.NewAttribute(p11.CKA_WRAP, false), // a key that wraps and decrypts gives away what it wraps
		p11.NewAttribute(p11.CKA_UNWRAP, false),
		p11.NewAttribute(p11.CKA_SIGN, false),
		p11.NewAttribute(p11.CKA_VERIFY, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	})
}

func keySearch(label string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_LABEL, label),
	}
}

// The anchor is a private object: it is seen only on the right token, and only while logged in.
func anchor() []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_DATA),
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_LABEL, "opsec custody"),
	}
}
