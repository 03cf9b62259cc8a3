package hash

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Scheme is how a stored hash was computed.
type Scheme string

// The schemes that are verified. New hashes are Argon2id.
const (
	Argon2id     Scheme = "argon2id"      // RFC 9106, version 19; the PHC string, or Django's
	Argon2i      Scheme = "argon2i"       // the same
	Bcrypt       Scheme = "bcrypt"        // $2a$, $2b$, $2y$; Django's; it sees the first 72 bytes of a secret alone
	BcryptSHA256 Scheme = "bcrypt-sha256" // bcrypt over the hexadecimal SHA-256, as Django has it
	Scrypt       Scheme = "scrypt"        // RFC 7914; passlib's PHC string, or Django's
	PBKDF2SHA1   Scheme = "pbkdf2-sha1"   // RFC 8018; passlib's string, or Django's
	PBKDF2SHA256 Scheme = "pbkdf2-sha256" // the same, or the PHC string with i= and l=
	PBKDF2SHA512 Scheme = "pbkdf2-sha512" // the same
)

// Form is what a stored hash says of itself: how it was computed, nothing of the secret.
type Form struct {
	Scheme  Scheme
	Params  Params   // of argon2; otherwise zero
	Memory  int      // KiB that computing it takes
	Peppers []string // names of the keys of its keyed steps, the first one applied first; see [Peppers]

	lanes    int    // processors that computing it uses
	settings string // its text without the peppers and the output
	salt     []byte
	output   []byte
	compute  func(secret []byte) []byte
}

// Format implements [fmt.Formatter]: the scheme, the memory and the peppers, under every verb.
func (f Form) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%s, %d KiB, peppers %q", f.Scheme, f.Memory, f.Peppers)
}

// Parse reads a stored hash without computing anything. The error wraps [ErrForm] when its form is none of those of [Scheme],
// when it is not canonical, or when something in it is beyond its bound.
func Parse(encoded string) (Form, error) {
	if len(encoded) > MaxEncoded {
		return Form{}, badForm("%d bytes, want at most %d", len(encoded), MaxEncoded)
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(encoded, "$"), "$")
	if strings.HasPrefix(encoded, "$") {
		switch name {
		case "argon2id":
			return parseArgon(Argon2id, rest)
		case "argon2i":
			return parseArgon(Argon2i, rest)
		case "2a", "2b", "2y":
			return parseBcrypt(Bcrypt, encoded)
		case "scrypt":
			return parseScrypt(rest)
		case "pbkdf2":
			return parsePBKDF2(PBKDF2SHA1, rest)
		case "pbkdf2-sha256", "pbkdf2-sha512":
			return parsePBKDF2(Scheme(name), rest)
		}
	} else {
		switch name { // as Django has them
		case "argon2":
			if inner, ok := strings.CutPrefix(rest, "argon2id$"); ok {
				return parseArgon(Argon2id, inner)
			}
			if inner, ok := strings.CutPrefix(rest, "argon2i$"); ok {
				return parseArgon(Argon2i, inner)
			}
		case "bcrypt":
			return parseBcrypt(Bcrypt, rest)
		case "bcrypt_sha256":
			return parseBcrypt(BcryptSHA256, rest)
		case "scrypt":
			return parseDjangoScrypt(rest)
		case "pbkdf2_sha1", "pbkdf2_sha256":
			return parseDjangoPBKDF2(Scheme(strings.Replace(name, "_", "-", 1)), rest)
		}
	}
	return Form{}, badForm("of no known form")
}

// parts cuts s at '$' into exactly n.
func parts(s string, n int) ([]string, error) {
	list := strings.Split(s, "$")
	if len(list) != n {
		return nil, badForm("%d parts, want %d", len(list), n)
	}
	return list, nil
}

// named reads "a=1,b=2" with exactly these names in this order, each of at most most.
func named(s string, names string, most uint32) ([]uint32, error) {
	list := strings.Split(s, ",")
	want := strings.Fields(names)
	if len(list) != len(want) {
		return nil, badForm("%d parameters, want %s", len(list), names)
	}
	values := make([]uint32, len(list))
	for i, item := range list {
		text, ok := strings.CutPrefix(item, want[i]+"=")
		if !ok {
			return nil, badForm("parameters: want %s", names)
		}
		var err error
		if values[i], err = number(text, want[i], most); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// number reads a decimal number from 1 to most that has one text alone.
func number(text, name string, most uint32) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, badForm("%s: want a number without leading zeros", name)
	}
	if n < 1 || n > uint64(most) {
		return 0, badForm("%s: %d, want 1 to %d", name, n, most)
	}
	return uint32(n), nil
}

var (
	plain64   = base64.RawStdEncoding.Strict()
	passlib64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding).Strict()
)

// bytesOf decodes a text that has no other text for the same bytes, and least to most of these.
func bytesOf(enc *base64.Encoding, text, name string, least, most int) ([]byte, error) {
	b, err := enc.DecodeString(text)
	if err != nil || enc.EncodeToString(b) != text { // DecodeString passes over line breaks
		return nil, badForm("%s: not canonical base64", name)
	}
	return b, checkLen(len(b), name, least, most)
}

func checkLen(n int, name string, least, most int) error {
	if n < least || n > most {
		return badForm("%s: %d bytes, want %d to %d", name, n, least, most)
	}
	return nil
}

// saltAndOutput reads the last two parts of a form.
func (f *Form) saltAndOutput(enc *base64.Encoding, salt, output string) (err error) {
	if f.salt, err = bytesOf(enc, salt, "salt", minSalt, maxSalt); err != nil {
		return err
	}
	f.output, err = bytesOf(enc, output, "output", minOutput, maxOutput)
	return err
}

// textSalt reads Django's parts: the salt is the text itself, the output padded base64.
func (f *Form) textSalt(salt, output string) (err error) {
	if err := checkLen(len(salt), "salt", minSalt, maxSalt); err != nil {
		return err
	}
	f.salt = []byte(salt)
	f.output, err = bytesOf(base64.StdEncoding.Strict(), output, "output", minOutput, maxOutput)
	return err
}

// encode writes an argon2 form with these peppers and this output.
func (f Form) encode(peppers []string, output []byte) string {
	head, salt := f.settings, ""
	if i := strings.LastIndexByte(head, '$'); i >= 0 {
		head, salt = head[:i], head[i:]
	}
	if len(peppers) > 0 {
		head += ",keyid=" + strings.Join(peppers, "+")
	}
	return head + salt + "$" + plain64.EncodeToString(output)
}

// sameCost reports whether f is what a pool of these costs would make, with these peppers.
func (f Form) sameCost(p Params, peppers []string) bool {
	return f.Scheme == Argon2id && f.Params == p && len(f.salt) >= newSalt && len(f.output) >= newOutput && slices.Equal(f.Peppers, peppers)
}

func kib(bytes uint64) int { return int(min((bytes+1023)/1024, math.MaxInt32)) }
