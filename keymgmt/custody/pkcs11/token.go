package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Token is a custodian whose keys are in one token of a [Module]. Sessions are pooled: as many calls are at work at once as
// [Options] allow, and others wait.
type Token struct {
	m    *Module
	name Name
	o    Options
	pin  func(context.Context) ([]byte, error)

	room       chan struct{} // one for each session that may be open
	generating sync.Mutex

	mu      sync.Mutex
	slot    uint
	epoch   uint64 // of the module, when the sessions were opened
	idle    []p11.SessionHandle
	refused error // why the PIN was refused
	closed  bool
}

var _ keymgmt.Custodian = (*Token)(nil)

// Options are optional.
type Options struct {
	Name     string           // in evidence; "PKCS #11 token" when empty
	Sessions int              // at most so many at once: 1 to 1024; 8 when 0
	Now      func() time.Time // time.Now when nil
}

// Open opens the token of a name, and logs in as its user. It asks pin whenever it has to log in, also later, when the token
// has been away; the PIN is cleared after use, as far as the library of C lets it be. A wrong PIN wraps [opsec.ErrDenied], a token
// that is not there [keymgmt.ErrUnavailable]. The first opening of a token makes an object in it.
func (m *Module) Open(ctx context.Context, name Name, pin func(context.Context) ([]byte, error), o *Options) (*Token, error) {
	t := &Token{m: m, name: name, pin: pin}
	if o != nil {
		t.o = *o
	}
	if t.o.Sessions == 0 {
		t.o.Sessions = 8
	}
	if t.o.Name == "" {
		t.o.Name = "PKCS #11 token"
	}
	if t.o.Now == nil {
		t.o.Now = time.Now
	}
	switch {
	case t.o.Sessions < 1 || t.o.Sessions > 1024:
		return nil, invalid("sessions: %d, want 1 to 1024", t.o.Sessions)
	case name == Name{}:
		return nil, invalid("name: want a label or a serial number")
	case pin == nil:
		return nil, invalid("pin: nil")
	}
	t.room = make(chan struct{}, t.o.Sessions)
	_, err := wait(ctx, func() (struct{}, error) { return struct{}{}, t.find() })
	if err != nil {
		return nil, err
	}
	_, err = call(ctx, t, func(s p11.SessionHandle) (struct{}, error) {
		err := t.alive(s)
		if errors.Is(err, errGone) {
			_, err = t.m.lib.CreateObject(s, append(anchor(), p11.NewAttribute(p11.CKA_VALUE, []byte("1"))))
			err = failed("C_CreateObject", err)
		}
		return struct{}{}, err
	})
	if err != nil {
		wait(ctx, func() (struct{}, error) { return struct{}{}, t.Close() })
		return nil, err
	}
	return t, nil
}

// find finds the token at first. From here on its serial number counts too.
func (t *Token) find() (err error) {
	t.m.mu.RLock()
	defer t.m.mu.RUnlock()
	t.slot, t.name, err = t.m.find(t.name)
	t.epoch = t.m.epoch
	return err
}

// Close closes the sessions of this token. Those at work are closed when their calls end.
func (t *Token) Close() error {
	t.m.mu.RLock()
	defer t.m.mu.RUnlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.m.lib != nil && t.epoch == t.m.epoch {
		for _, s := range t.idle {
			t.m.lib.CloseSession(s)
		}
	}
	t.idle = nil
	return nil
}

// Format implements [fmt.Formatter]: the name of the token under every verb.
func (t *Token) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "pkcs11.Token(%q, serial number %q)", t.name.Label, t.name.Serial)
}

// call has fn work with a session, and waits for it until the context ends. A call that the device does not answer goes on
// by itself, and takes up its session: fn must not use what its caller may change. What is secret is cleared in the end.
func call[T any](ctx context.Context, t *Token, fn func(p11.SessionHandle) (T, error), secret ...byte) (v T, err error) {
	select {
	case t.room <- struct{}{}:
	case <-ctx.Done():
		clear(secret)
		return v, fmt.Errorf("pkcs11: all sessions are at work: %w: %w", keymgmt.ErrUnavailable, ctx.Err())
	}
	return wait(ctx, func() (T, error) {
		defer func() { <-t.room }()
		defer clear(secret)
		return persist(ctx, t, fn)
	})
}

// wait returns what fn does. When the context ends before, fn goes on by itself.
func wait[T any](ctx context.Context, fn func() (T, error)) (v T, err error) {
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := fn()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		return v, fmt.Errorf("pkcs11: no answer: %w: %w", keymgmt.ErrUnavailable, ctx.Err())
	}
}

// persist tries again with another session, and then after a restart: of sessions, or of the library.
func persist[T any](ctx context.Context, t *Token, fn func(p11.SessionHandle) (T, error)) (v T, err error) {
	for try := range 3 {
		var epoch uint64
		v, epoch, err = once(ctx, t, fn)
		if !errors.Is(err, keymgmt.ErrUnavailable) || ctx.Err() != nil {
			return v, err
		}
		if try == 1 {
			if err := t.m.restart(epoch, t.slotNow(), func() error { return t.look(ctx) }); err != nil {
				return v, err
			}
		}
	}
	return v, err
}

func once[T any](ctx context.Context, t *Token, fn func(p11.SessionHandle) (T, error)) (v T, epoch uint64, err error) {
	t.m.mu.RLock()
	defer t.m.mu.RUnlock()
	epoch = t.m.epoch
	s, err := t.session(ctx)
	if err != nil {
		return v, epoch, err
	}
	v, err = fn(s)
	t.mu.Lock()
	defer t.mu.Unlock()
	// What a failure leaves behind in a session is not known. The last one that is closed logs out.
	if t.closed || errors.Is(err, keymgmt.ErrUnavailable) || errors.Is(err, errors.ErrUnsupported) {
		t.m.lib.CloseSession(s)
		return v, epoch, err
	}
	t.idle = append(t.idle, s)
	return v, epoch, err
}

func (t *Token) slotNow() uint {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.slot
}

// session returns one that is logged in. The caller holds t.m.mu.
func (t *Token) session(ctx context.Context) (p11.SessionHandle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.m.lib == nil {
		return 0, errClosed
	}
	if t.epoch != t.m.epoch {
		t.idle = nil
		slot, _, err := t.m.find(t.name)
		if err != nil {
			return 0, err
		}
		t.slot, t.epoch = slot, t.m.epoch
	}
	if n := len(t.idle); n > 0 {
		s := t.idle[n-1]
		t.idle = t.idle[:n-1]
		return s, nil
	}
	s, err := t.m.lib.OpenSession(t.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		return 0, failed("C_OpenSession", err)
	}
	if err := t.login(ctx, s); err != nil {
		t.m.lib.CloseSession(s)
		return 0, err
	}
	return s, nil
}

// login logs in unless that is done: one session that is logged in is enough for all. The caller holds t.mu.
func (t *Token) login(ctx context.Context, s p11.SessionHandle) error {
	info, err := t.m.lib.GetSessionInfo(s)
	if err != nil {
		return failed("C_GetSessionInfo", err)
	}
	if info.State == p11.CKS_RW_USER_FUNCTIONS {
		return nil
	}
	if t.refused != nil {
		return t.refused
	}
	pin, err := t.pin(ctx)
	if err != nil {
		return fmt.Errorf("pkcs11: asking for the PIN: %w: %w", keymgmt.ErrUnavailable, err)
	}
	defer clear(pin)
	err = t.m.lib.Login(s, p11.CKU_USER, string(pin))
	if errors.Is(err, p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN)) {
		return nil
	}
	err = failed("C_Login", err)
	if err != nil && !errors.Is(err, keymgmt.ErrUnavailable) {
		t.refused = err
	}
	return err
}

// look sees whether the token is there. The caller holds t.m.mu.
func (t *Token) look(ctx context.Context) error {
	s, err := t.session(ctx)
	if err != nil {
		return err
	}
	if err := t.alive(s); err != nil {
		t.m.lib.CloseSession(s)
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = append(t.idle, s)
	return nil
}

// alive sees whether the token shows the anchor. A library may answer that there is no object to whoever asks for one in a token
// that is not there any more, or not logged in to.
func (t *Token) alive(s p11.SessionHandle) error {
	found, err := t.search(s, anchor())
	if err == nil && len(found) == 0 {
		err = errGone
	}
	return err
}

// search returns the objects of a template, at most 16.
func (t *Token) search(s p11.SessionHandle, template []*p11.Attribute) ([]p11.ObjectHandle, error) {
	if err := t.m.lib.FindObjectsInit(s, template); err != nil {
		return nil, failed("C_FindObjectsInit", err)
	}
	found, _, err := t.m.lib.FindObjects(s, 16)
	if err != nil {
		return nil, failed("C_FindObjects", err)
	}
	return found, failed("C_FindObjectsFinal", t.m.lib.FindObjectsFinal(s))
}
