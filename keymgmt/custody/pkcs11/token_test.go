package pkcs11_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody/pkcs11"
)

var ctx = context.Background()

// raw is a session beside ours, with the library itself. It ends with the module.
func (h *softhsm) raw(t testing.TB) (*p11.Ctx, p11.SessionHandle) {
	t.Helper()
	lib := p11.New(h.library)
	require.NotNil(t, lib)
	slots, err := lib.GetSlotList(true)
	require.NoError(t, err)
	s, err := lib.OpenSession(slots[0], p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	require.NoError(t, err)
	if err := lib.Login(s, p11.CKU_USER, userPIN); !errors.Is(err, p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN)) {
		require.NoError(t, err)
	}
	return lib, s
}

func labelled(label string) []*p11.Attribute {
	return []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_LABEL, label)}
}

func find(t testing.TB, lib *p11.Ctx, s p11.SessionHandle, label string) []p11.ObjectHandle {
	t.Helper()
	require.NoError(t, lib.FindObjectsInit(s, labelled(label)))
	found, _, err := lib.FindObjects(s, 100)
	require.NoError(t, err)
	require.NoError(t, lib.FindObjectsFinal(s))
	return found
}

func TestKeyCannotBeTakenOut(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 2)
	require.NoError(t, token.Generate(ctx, "h"))
	lib, s := h.raw(t)
	keys := find(t, lib, s, "opsec: h")
	require.Len(t, keys, 1)
	key := keys[0]

	_, err := lib.GetAttributeValue(s, key, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	require.ErrorIs(t, err, p11.Error(p11.CKR_ATTRIBUTE_SENSITIVE))
	for _, change := range []*p11.Attribute{p11.NewAttribute(p11.CKA_SENSITIVE, false), p11.NewAttribute(p11.CKA_EXTRACTABLE, true), p11.NewAttribute(p11.CKA_WRAP, true)} {
		require.Error(t, lib.SetAttributeValue(s, key, []*p11.Attribute{change}))
	}
	// Another key wraps nothing of it, and it wraps no other: that would be a decryption away from the clear.
	other, err := lib.GenerateKey(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32), p11.NewAttribute(p11.CKA_EXTRACTABLE, true), p11.NewAttribute(p11.CKA_WRAP, true),
		p11.NewAttribute(p11.CKA_DECRYPT, true),
	})
	require.NoError(t, err)
	kwp := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_WRAP_PAD, nil)}
	_, err = lib.WrapKey(s, kwp, key, other)
	require.Error(t, err)
	_, err = lib.WrapKey(s, kwp, other, key)
	require.Error(t, err)
	_, err = lib.WrapKey(s, kwp, other, other)
	require.NoError(t, err, "the mechanism works: it is the attributes that refuse")
}

func TestKeyThatIsNotSafeIsNotUsed(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 2)
	lib, s := h.raw(t)
	plant := func(label string, value []byte) {
		_, err := lib.CreateObject(s, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_AES), p11.NewAttribute(p11.CKA_TOKEN, true),
			p11.NewAttribute(p11.CKA_LABEL, label), p11.NewAttribute(p11.CKA_VALUE, value), p11.NewAttribute(p11.CKA_SENSITIVE, true),
			p11.NewAttribute(p11.CKA_EXTRACTABLE, false), p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_DECRYPT, true),
		})
		require.NoError(t, err)
	}
	value := bytes.Repeat([]byte{7}, 32)
	plant("opsec: h", value)
	require.ErrorIs(t, token.Generate(ctx, "h"), opsec.ErrDenied)
	_, err := token.Wrap(ctx, "h", []byte("material"), nil)
	require.ErrorIs(t, err, opsec.ErrDenied)
	block, err := aes.NewCipher(value)
	require.NoError(t, err)
	known, err := cipher.NewGCM(block)
	require.NoError(t, err)
	nonce := make([]byte, 12)
	forged := known.Seal(nonce, nonce, []byte("forged"), nil)
	_, err = token.Unwrap(ctx, "h", forged, nil)
	require.ErrorIs(t, err, opsec.ErrDenied)

	require.NoError(t, token.Generate(ctx, "g"))
	plant("opsec: g", value)
	for range 10 {
		w, err := token.Wrap(ctx, "g", []byte("material"), nil)
		require.NoError(t, err)
		_, err = known.Open(nil, w[:12], w[12:], nil)
		require.Error(t, err, "the key that somebody knows is never taken")
	}
	_, err = token.Unwrap(ctx, "g", forged, nil)
	require.ErrorIs(t, err, keymgmt.ErrUnwrap)
	e, err := token.Destroy(ctx, "g")
	require.NoError(t, err)
	require.Len(t, e.Copies, 2, "and destroyed with the other")
}

func TestEveryObjectOfAHandleOpensAndIsDestroyed(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 2)
	lib, s := h.raw(t)
	require.NoError(t, token.Generate(ctx, "h"))
	first, err := token.Wrap(ctx, "h", []byte("one"), nil)
	require.NoError(t, err)
	// A second key, as another process would have made it at the same moment.
	_, err = lib.GenerateKey(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}, append(labelled("opsec: h"),
		p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_VALUE_LEN, 32), p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false), p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_DECRYPT, true),
		p11.NewAttribute(p11.CKA_WRAP, false), p11.NewAttribute(p11.CKA_UNWRAP, false), p11.NewAttribute(p11.CKA_ID, []byte("b")),
		p11.NewAttribute(p11.CKA_MODIFIABLE, false), p11.NewAttribute(p11.CKA_DERIVE, false)))
	require.NoError(t, err)
	for range 10 {
		w, err := token.Wrap(ctx, "h", []byte("two"), nil)
		require.NoError(t, err)
		got, err := token.Unwrap(ctx, "h", w, nil)
		require.NoError(t, err)
		require.Equal(t, "two", string(got))
	}
	got, err := token.Unwrap(ctx, "h", first, nil)
	require.NoError(t, err)
	require.Equal(t, "one", string(got))

	e, err := token.Destroy(ctx, "h")
	require.NoError(t, err)
	require.Len(t, e.Copies, 2)
	require.Equal(t, "C_DestroyObject", e.Method)
	require.NotEmpty(t, e.Left)
	require.Empty(t, find(t, lib, s, "opsec: h"))
}

func TestWrongPINIsTriedOnce(t *testing.T) {
	h := newSoftHSM(t)
	var asked atomic.Int32
	wrong := func(context.Context) ([]byte, error) { asked.Add(1); return []byte("9999"), nil }
	_, err := h.module.Open(ctx, pkcs11.Name{Label: "provider"}, wrong, nil)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.NotErrorIs(t, err, keymgmt.ErrUnavailable)
	var code *pkcs11.Error
	require.ErrorAs(t, err, &code)
	require.Equal(t, pkcs11.Error{Call: "C_Login", Code: p11.CKR_PIN_INCORRECT}, *code)
	require.NotContains(t, err.Error(), "9999")
	require.EqualValues(t, 1, asked.Load())
}

// TestPINThatIsRefusedLaterIsNotTriedAgain changes the PIN under a token that has to log in again.
func TestPINThatIsRefusedLaterIsNotTriedAgain(t *testing.T) {
	h := newSoftHSM(t)
	var asked atomic.Int32
	secret := func(context.Context) ([]byte, error) { asked.Add(1); return []byte(userPIN), nil }
	token, err := h.module.Open(ctx, pkcs11.Name{Label: "provider"}, secret, nil)
	require.NoError(t, err)
	defer token.Close()
	require.NoError(t, token.Generate(ctx, "h"))
	require.EqualValues(t, 1, asked.Load())
	lib, s := h.raw(t)
	require.NoError(t, lib.SetPIN(s, userPIN, "another"))
	slots, err := lib.GetSlotList(true)
	require.NoError(t, err)
	require.NoError(t, lib.CloseAllSessions(slots[0])) // logs out
	for range 5 {
		_, err = token.Wrap(ctx, "h", []byte("material"), nil)
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	require.EqualValues(t, 2, asked.Load())
}

func TestTokenLogsInAgain(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 4)
	require.NoError(t, token.Generate(ctx, "h"))
	w, err := token.Wrap(ctx, "h", []byte("material"), nil)
	require.NoError(t, err)
	lib, s := h.raw(t)
	slots, err := lib.GetSlotList(true)
	require.NoError(t, err)
	for name, end := range map[string]func() error{
		"logged out":      func() error { return lib.Logout(s) },
		"sessions closed": func() error { return lib.CloseAllSessions(slots[0]) },
	} {
		require.NoError(t, end(), name)
		got, err := token.Unwrap(ctx, "h", w, nil)
		require.NoError(t, err, name)
		require.Equal(t, "material", string(got))
		if name == "logged out" {
			continue
		}
		_, s = h.raw(t)
	}
}

// TestTokenThatGoesInMidOperation moves the directory of the tokens away while many work: they see a token that is
// unavailable, never one without keys, and afterwards everything opens.
func TestTokenThatGoesInMidOperation(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 4)
	require.NoError(t, token.Generate(ctx, "h"))
	w, err := token.Wrap(ctx, "h", []byte("material"), []byte("ad"))
	require.NoError(t, err)
	stop := make(chan struct{})
	var kept [][]byte
	var mu sync.Mutex
	var failures, successes atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				made, err := token.Wrap(ctx, "h", []byte("material"), []byte("ad"))
				if err == nil {
					mu.Lock()
					kept = append(kept, made)
					mu.Unlock()
					_, err = token.Unwrap(ctx, "h", made, []byte("ad"))
				}
				if err == nil {
					successes.Add(1)
					continue
				}
				failures.Add(1)
				if !errors.Is(err, keymgmt.ErrUnavailable) || errors.Is(err, opsec.ErrNotFound) || errors.Is(err, keymgmt.ErrUnwrap) {
					t.Errorf("while the token is away: %v", err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	more := func(n *atomic.Int32) {
		t.Helper()
		from := n.Load()
		require.Eventually(t, func() bool { return n.Load() > from+3 }, 30*time.Second, time.Millisecond)
	}
	for round := range 3 {
		more(&successes)
		back := h.moveAway(t, round == 1)
		more(&failures)
		e, err := token.Destroy(ctx, "h")
		require.ErrorIs(t, err, keymgmt.ErrUnavailable, "nothing is destroyed, and nothing is said to be")
		require.Empty(t, e)
		require.ErrorIs(t, token.Generate(ctx, fmt.Sprint("new", round)), keymgmt.ErrUnavailable)
		back()
	}
	more(&successes)
	close(stop)
	wg.Wait()
	for _, w := range append(kept, w) {
		got, err := token.Unwrap(ctx, "h", w, []byte("ad"))
		require.NoError(t, err)
		require.Equal(t, "material", string(got))
	}
	lib, s := h.raw(t)
	require.Len(t, find(t, lib, s, "opsec: h"), 1)
	for round := range 3 {
		require.Empty(t, find(t, lib, s, fmt.Sprint("opsec: new", round)), "nothing half made")
	}
}

func TestAnotherTokenOfTheSameNameIsNotTaken(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 2)
	require.NoError(t, token.Generate(ctx, "h"))
	back := h.moveAway(t, true)
	h.initToken(t, "provider")
	_, err := token.Wrap(ctx, "h", []byte("material"), nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	back()
	_, err = token.Wrap(ctx, "h", []byte("material"), nil)
	require.NoError(t, err)

	h.initToken(t, "provider")
	require.NoError(t, h.module.Close())
	h.load(t)
	_, err = h.module.Open(ctx, pkcs11.Name{Label: "provider"}, pin, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid, "two of one name")
}

// TestSerialNumberIsHeldTo puts another token of the same name in its place that was opened before, too.
func TestSerialNumberIsHeldTo(t *testing.T) {
	h := newSoftHSM(t)
	h.open(t, 2)
	require.NoError(t, h.module.Close())
	require.NoError(t, os.Rename(h.tokens, h.tokens+".other"))
	require.NoError(t, os.Mkdir(h.tokens, 0o700))
	h.initToken(t, "provider")
	h.load(t)
	token := h.open(t, 2)
	require.NoError(t, token.Generate(ctx, "h"))

	require.NoError(t, os.Rename(h.tokens, h.tokens+".away"))
	require.NoError(t, os.Rename(h.tokens+".other", h.tokens))
	_, err := token.Wrap(ctx, "h", []byte("material"), nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	require.NotErrorIs(t, err, opsec.ErrNotFound)
	_, err = token.Destroy(ctx, "h")
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
}

func TestCallerDoesNotWaitForASession(t *testing.T) {
	h := newSoftHSM(t)
	block := make(chan struct{})
	asked := make(chan struct{}, 1)
	slow := func(context.Context) ([]byte, error) { // a device, or a person, that takes its time
		asked <- struct{}{}
		<-block
		return []byte(userPIN), nil
	}
	short, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() {
		_, err := h.module.Open(short, pkcs11.Name{Label: "provider"}, slow, &pkcs11.Options{Sessions: 1})
		done <- err
	}()
	<-asked
	cancel()
	var err error
	select {
	case err = <-done:
	case <-time.After(30 * time.Second):
		t.Error("Open waits for who does not answer")
	}
	close(block)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}

// TestKeyThatCouldBeMadeUnsafeIsNotUsed has keys that are made in the token, but not as ours.
func TestKeyThatCouldBeMadeUnsafeIsNotUsed(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 2)
	lib, s := h.raw(t)
	for name, wrong := range map[string]*p11.Attribute{
		"modifiable": p11.NewAttribute(p11.CKA_MODIFIABLE, true),
		"derives":    p11.NewAttribute(p11.CKA_DERIVE, true),
		"wraps":      p11.NewAttribute(p11.CKA_WRAP, true),
	} {
		template := append(labelled("opsec: "+name),
			p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_VALUE_LEN, 32), p11.NewAttribute(p11.CKA_SENSITIVE, true),
			p11.NewAttribute(p11.CKA_EXTRACTABLE, false), p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_DECRYPT, true), wrong)
		for _, safe := range []*p11.Attribute{
			p11.NewAttribute(p11.CKA_MODIFIABLE, false), p11.NewAttribute(p11.CKA_DERIVE, false), p11.NewAttribute(p11.CKA_WRAP, false),
			p11.NewAttribute(p11.CKA_UNWRAP, false),
		} {
			if safe.Type != wrong.Type {
				template = append(template, safe)
			}
		}
		_, err := lib.GenerateKey(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}, template)
		require.NoError(t, err)
		_, err = token.Wrap(ctx, name, []byte("material"), nil)
		require.ErrorIs(t, err, opsec.ErrDenied, name)
	}
}

func TestClosedModule(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 2)
	require.NoError(t, token.Generate(ctx, "h"))
	other := h.open(t, 2)
	require.NoError(t, other.Close())
	require.NoError(t, other.Close())
	_, err := other.Wrap(ctx, "h", []byte("material"), nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	_, err = token.Wrap(ctx, "h", []byte("material"), nil)
	require.NoError(t, err, "the other token is still open")
	require.NoError(t, h.module.Close())
	require.NoError(t, h.module.Close())
	_, err = token.Wrap(ctx, "h", []byte("material"), nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	_, err = h.module.Open(ctx, pkcs11.Name{Label: "provider"}, pin, nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
}

func TestArguments(t *testing.T) {
	_, err := pkcs11.Load(filepath.Join(t.TempDir(), "no.so"))
	require.ErrorIs(t, err, opsec.ErrNotFound)
	h := newSoftHSM(t)
	for _, o := range []int{-1, 1025} {
		_, err := h.module.Open(ctx, pkcs11.Name{Label: "provider"}, pin, &pkcs11.Options{Sessions: o})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err = h.module.Open(ctx, pkcs11.Name{}, pin, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.module.Open(ctx, pkcs11.Name{Label: "provider"}, nil, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.module.Open(ctx, pkcs11.Name{Label: "no such"}, pin, nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	token := h.open(t, 1)
	_, err = token.Wrap(ctx, "h", make([]byte, 64<<10+1), nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Regexp(t, `^pkcs11\.Token\("provider", serial number "[0-9a-f]+"\)$`, fmt.Sprintf("%+v", token))
}

// TestTwoProcessesGenerateOneHandle starts this test anew as other processes.
func TestTwoProcessesGenerateOneHandle(t *testing.T) {
	if os.Getenv("OPSEC_PKCS11_CHILD") != "" {
		m, err := pkcs11.Load(library(t))
		require.NoError(t, err)
		defer m.Close()
		token, err := m.Open(ctx, pkcs11.Name{Label: "provider"}, pin, nil)
		require.NoError(t, err)
		fmt.Println("ready")
		_, err = io.ReadAll(os.Stdin) // until all are
		require.NoError(t, err)
		require.NoError(t, token.Generate(ctx, "shared"))
		w, err := token.Wrap(ctx, "shared", []byte("material"), nil)
		require.NoError(t, err)
		fmt.Printf("wrapped=%x.\n", w)
		return
	}
	h := newSoftHSM(t)
	var wg sync.WaitGroup
	var start [3]io.Closer
	var out [3]bytes.Buffer
	var children [3]*exec.Cmd
	for i := range children {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTwoProcessesGenerateOneHandle$", "-test.v")
		cmd.Env = append(os.Environ(), "OPSEC_PKCS11_CHILD=1")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		said, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill() })
		children[i], start[i] = cmd, in
		lines := bufio.NewScanner(io.TeeReader(said, &out[i]))
		for lines.Scan() && lines.Text() != "ready" { // one after the other: SoftHSM opens no token that another process writes to
		}
		require.Equal(t, "ready", lines.Text(), "%s", &out[i])
		rest := said
		wg.Go(func() { io.Copy(&out[i], rest) })
	}
	for _, c := range start {
		require.NoError(t, c.Close())
	}
	wg.Wait()
	token := h.open(t, 2)
	for i := range out {
		require.NoError(t, children[i].Wait(), "%s", &out[i])
		_, rest, ok := strings.Cut(out[i].String(), "wrapped=")
		require.True(t, ok, "%s", &out[i])
		text, _, _ := strings.Cut(rest, ".")
		var w []byte
		_, err := fmt.Sscanf(text, "%x", &w)
		require.NoError(t, err)
		got, err := token.Unwrap(ctx, "shared", w, nil)
		require.NoError(t, err)
		require.Equal(t, "material", string(got))
	}
}
