package hash

import (
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// parseArgon reads what follows the name: v=19$m=,t=,p=[,keyid=]$salt$output. In a keyid '+' stands between the names.
func parseArgon(scheme Scheme, s string) (Form, error) {
	f := Form{Scheme: scheme}
	p, err := parts(s, 4)
	if err != nil {
		return f, err
	}
	if p[0] != "v=19" {
		return f, badForm("version: want v=19")
	}
	costs, keys, seasoned := strings.Cut(p[1], ",keyid=")
	v, err := named(costs, "m t p", MaxMemory)
	if err != nil {
		return f, err
	}
	if v[2] > MaxLanes {
		return f, badForm("p: %d, want 1 to %d", v[2], MaxLanes)
	}
	f.Params = Params{M: v[0], T: v[1], P: uint8(v[2])}
	if err := f.Params.Validate(); err != nil {
		return f, badForm("%v", err)
	}
	if seasoned {
		f.Peppers = strings.Split(keys, "+")
		if len(f.Peppers) > maxPeppers {
			return f, badForm("keyid: %d keys, want at most %d", len(f.Peppers), maxPeppers)
		}
		for _, k := range f.Peppers {
			if !validKey(k) {
				return f, badForm("keyid: a name of %d bytes, want 1 to 32 letters, digits, '-', '.'", len(k))
			}
		}
	}
	if err := f.saltAndOutput(plain64, p[2], p[3]); err != nil {
		return f, err
	}
	f.argon(argonOutput(seasoned, len(f.output)))
	return f, nil
}

// argonOutput is how many bytes argon2 gives: what is stored, or what goes into the keyed step.
func argonOutput(seasoned bool, stored int) uint32 {
	if seasoned {
		return newOutput
	}
	return uint32(stored)
}

// argon completes a form that has scheme, costs and salt.
func (f *Form) argon(output uint32) {
	p, salt, key := f.Params, f.salt, argon2.IDKey
	if f.Scheme == Argon2i {
		key = argon2.Key
	}
	f.Memory, f.lanes = int(p.M), int(p.P)
	f.settings = fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s", f.Scheme, p.M, p.T, p.P, plain64.EncodeToString(salt))
	f.compute = func(secret []byte) []byte { return key(secret, salt, p.T, p.M, p.P, output) }
}

// fresh returns the form of a new hash, without its output.
func fresh(p Params) Form {
	f := Form{Scheme: Argon2id, Params: p, salt: make([]byte, newSalt)}
	rand.Read(f.salt)
	f.argon(newOutput)
	return f
}
