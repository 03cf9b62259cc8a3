package pkcs11

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	p11 "github.com/miekg/pkcs11"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Error is an answer of the library other than CKR_OK. It wraps [opsec.ErrDenied] when a PIN was refused,
// [errors.ErrUnsupported] when the device cannot do what a custodian needs, and [keymgmt.ErrUnavailable] in all other cases.
type Error struct {
	Call string // such as "C_Login"
	Code uint   // a CKR_ value
}

func (e *Error) Error() string {
	return "pkcs11: " + e.Call + ": " + strings.TrimPrefix(p11.Error(e.Code).Error(), "pkcs11: ")
}

func (e *Error) Unwrap() error {
	switch e.Code {
	case p11.CKR_PIN_INCORRECT, p11.CKR_PIN_INVALID, p11.CKR_PIN_LEN_RANGE, p11.CKR_PIN_EXPIRED, p11.CKR_PIN_LOCKED,
		p11.CKR_USER_PIN_NOT_INITIALIZED:
		return opsec.ErrDenied
	case p11.CKR_MECHANISM_INVALID, p11.CKR_MECHANISM_PARAM_INVALID, p11.CKR_ATTRIBUTE_TYPE_INVALID,
		p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_TEMPLATE_INCOMPLETE, p11.CKR_TEMPLATE_INCONSISTENT,
		p11.CKR_FUNCTION_NOT_SUPPORTED, p11.CKR_TOKEN_WRITE_PROTECTED, p11.CKR_DATA_LEN_RANGE:
		return errors.ErrUnsupported
	}
	return keymgmt.ErrUnavailable
}

// failed makes an [*Error] of what the library has answered to a call.
func failed(call string, err error) error {
	var code p11.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &code):
		return &Error{call, uint(code)}
	}
	return fmt.Errorf("pkcs11: %s: %w: %w", call, keymgmt.ErrUnavailable, err)
}

// errGone says that the token does not show what must be there while one is logged in.
var errGone = fmt.Errorf("pkcs11: the token has gone, or is another one: %w", keymgmt.ErrUnavailable)

// errGoing says of an object that another is destroying it now: it is looked for again.
var errGoing = errors.New("pkcs11: an object is going")

func invalid(format string, args ...any) error {
	return fmt.Errorf("pkcs11: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// What a token takes, in bytes: as the custodians of package custody.
const (
	maxHandle   = 512
	maxMaterial = 64 << 10
)

func validHandle(handle string) error {
	if handle == "" || len(handle) > maxHandle || !utf8.ValidString(handle) {
		return invalid("handle of %d bytes: want 1 to %d of UTF-8", len(handle), maxHandle)
	}
	for _, r := range handle {
		if unicode.IsControl(r) {
			return invalid("handle: control character %U", r)
		}
	}
	return nil
}
