package hash

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"math/bits"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// parseBcrypt reads $2b$10$ and 53 characters: 22 of the salt, 31 of the output. Bits of the salt that do not count may be set, as
// some programs left them.
func parseBcrypt(scheme Scheme, s string) (Form, error) {
	f := Form{Scheme: scheme, Memory: 8, lanes: 1} // the state of Blowfish is 4 KiB
	p, err := parts(s, 4)
	if err != nil {
		return f, err
	}
	if p[0] != "" || p[1] != "2a" && p[1] != "2b" && p[1] != "2y" {
		return f, badForm("version: want 2a, 2b or 2y")
	}
	cost, err := number(strings.TrimPrefix(p[2], "0"), "cost", MaxBcryptCost)
	if err != nil {
		return f, err
	}
	if len(p[2]) != 2 || int(cost) < bcrypt.MinCost {
		return f, badForm("cost: want two digits, 04 to %d", MaxBcryptCost)
	}
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if len(p[3]) != 22+31 || strings.Trim(p[3], alphabet) != "" {
		return f, badForm("salt and output: want 53 characters of bcrypt's alphabet")
	}
	f.salt, f.output = []byte(p[3][:22]), []byte(p[3][22:])
	f.settings = s[:len(s)-31]
	f.compute = func(secret []byte) []byte {
		if scheme == BcryptSHA256 {
			sum := sha256.Sum256(secret)
			secret = hex.AppendEncode(nil, sum[:])
			clear(sum[:])
			defer clear(secret)
		}
		if bcrypt.CompareHashAndPassword([]byte(s), secret) != nil {
			return make([]byte, len(f.output)) // '\x00' is not of the alphabet
		}
		return bytes.Clone(f.output)
	}
	return f, nil
}

// parseScrypt reads what follows $scrypt$ as passlib writes it: ln=,r=,p=$salt$output.
func parseScrypt(s string) (Form, error) {
	f := Form{Scheme: Scrypt}
	p, err := parts(s, 3)
	if err != nil {
		return f, err
	}
	v, err := named(p[0], "ln r p", 64)
	if err != nil {
		return f, err
	}
	if err := f.saltAndOutput(plain64, p[1], p[2]); err != nil {
		return f, err
	}
	err = f.scrypt(v[0], v[1], v[2])
	return f, err
}

// parseDjangoScrypt reads what follows scrypt$: N$salt$r$p$output.
func parseDjangoScrypt(s string) (Form, error) {
	f := Form{Scheme: Scrypt}
	p, err := parts(s, 5)
	if err != nil {
		return f, err
	}
	n, err := number(p[0], "N", 1<<30)
	if err != nil {
		return f, err
	}
	r, err := number(p[2], "r", 64)
	if err != nil {
		return f, err
	}
	lanes, err := number(p[3], "p", 64)
	if err != nil {
		return f, err
	}
	if n&(n-1) != 0 {
		return f, badForm("N: want a power of two")
	}
	if err := f.textSalt(p[1], p[4]); err != nil {
		return f, err
	}
	err = f.scrypt(uint32(bits.TrailingZeros32(n)), r, lanes)
	return f, err
}

// scrypt completes a form of N = 2^ln that has salt and output. x/crypto computes the p runs one after another.
func (f *Form) scrypt(ln, r, p uint32) error {
	if ln < 1 || ln > 24 || r > 32 || p > MaxLanes {
		return badForm("scrypt: N 2^%d, r %d, p %d, want at most 2^24, 32, %d", ln, r, p, MaxLanes)
	}
	f.Memory, f.lanes = kib(128*uint64(r)<<ln+256*uint64(r)*uint64(p)), 1
	if f.Memory > MaxMemory || kib(128*uint64(r)*uint64(p)<<ln) > maxWork {
		return badForm("scrypt: %d KiB, %d times, want at most %d", f.Memory, p, MaxMemory)
	}
	salt, size := f.salt, len(f.output)
	f.compute = func(secret []byte) []byte {
		out, err := scrypt.Key(secret, salt, 1<<ln, int(r), int(p), size)
		if err != nil { // costs that it refuses: none within the bounds
			return nil
		}
		return out
	}
	return nil
}

// parsePBKDF2 reads what follows the name: i=,l=$salt$output, or passlib's iterations$salt$output, whose base64 has '.' for '+'.
func parsePBKDF2(scheme Scheme, s string) (Form, error) {
	f := Form{Scheme: scheme}
	p, err := parts(s, 3)
	if err != nil {
		return f, err
	}
	if !strings.HasPrefix(p[0], "i=") {
		n, err := number(p[0], "iterations", MaxIterations)
		if err != nil {
			return f, err
		}
		if err := f.saltAndOutput(passlib64, p[1], p[2]); err != nil {
			return f, err
		}
		f.pbkdf2(n)
		return f, nil
	}
	v, err := named(p[0], "i l", MaxIterations)
	if err != nil {
		return f, err
	}
	if err := f.saltAndOutput(plain64, p[1], p[2]); err != nil {
		return f, err
	}
	if int(v[1]) != len(f.output) {
		return f, badForm("l: %d, but the output has %d bytes", v[1], len(f.output))
	}
	f.pbkdf2(v[0])
	return f, nil
}

// parseDjangoPBKDF2 reads what follows the name: iterations$salt$output.
func parseDjangoPBKDF2(scheme Scheme, s string) (Form, error) {
	f := Form{Scheme: scheme}
	p, err := parts(s, 3)
	if err != nil {
		return f, err
	}
	n, err := number(p[0], "iterations", MaxIterations)
	if err != nil {
		return f, err
	}
	if err := f.textSalt(p[1], p[2]); err != nil {
		return f, err
	}
	f.pbkdf2(n)
	return f, nil
}

// pbkdf2 completes a form that has salt and output.
func (f *Form) pbkdf2(iterations uint32) {
	sum := map[Scheme]func() hash.Hash{PBKDF2SHA1: sha1.New, PBKDF2SHA256: sha256.New, PBKDF2SHA512: sha512.New}[f.Scheme]
	f.Memory, f.lanes = 1, 1
	salt, size := f.salt, len(f.output)
	f.compute = func(secret []byte) []byte {
		out, err := pbkdf2.Key(sum, string(secret), salt, int(iterations), size)
		if err != nil { // in FIPS mode: short salts
			return nil
		}
		return out
	}
}
