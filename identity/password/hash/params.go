package hash

// Params are the costs of argon2id (RFC 9106).
type Params struct {
	M uint32 `json:"m"` // memory in KiB, at least 8 for each lane, at most [MaxMemory]
	T uint32 `json:"t"` // passes over it, 1 to [MaxPasses]
	P uint8  `json:"p"` // lanes, 1 to [MaxLanes]; each wants a processor of its own
}

// Params with a source. Both of OWASP cost an attacker about the same; the second is for servers with memory to spare.
var (
	// OWASP is the Password Storage Cheat Sheet's 19 MiB, 2 passes, 1 lane: what a zero Params stands for.
	OWASP = Params{M: 19 << 10, T: 2, P: 1}
	// OWASPMemory is its 46 MiB, 1 pass, 1 lane.
	OWASPMemory = Params{M: 46 << 10, T: 1, P: 1}
	// RFC9106Second is the second choice of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes.
	RFC9106Second = Params{M: 64 << 10, T: 3, P: 4}
)

// The bounds of a stored hash, whatever the pool. A pool takes less when its memory is less.
const (
	MaxEncoded    = 512        // bytes of the text
	MaxMemory     = 1 << 20    // KiB
	MaxPasses     = 32         // of argon2
	MaxLanes      = 16         // of argon2; of scrypt, how often it runs
	MaxIterations = 10_000_000 // of PBKDF2
	MaxBcryptCost = 16         // 3 s of a processor

	maxWork    = 4 << 20 // KiB times passes of argon2; 128 N r p of scrypt in KiB
	minSalt    = 4       // bytes; 32 bits, NIST SP 800-63B-4, 3.1.1.2
	maxSalt    = 64      // bytes
	minOutput  = 16      // bytes; a stored hash of one byte would match every 256th secret
	maxOutput  = 64      // bytes
	newSalt    = 16      // bytes of a new hash; RFC 9106, section 3.1
	newOutput  = 32      // bytes
	maxPeppers = 4       // keys that one hash names
)

// Validate returns an error that wraps [opsec.ErrInvalid] unless the costs are within the bounds.
func (p Params) Validate() error {
	switch {
	case p.P < 1 || p.P > MaxLanes:
		return invalid("params.p: %d lanes, want 1 to %d", p.P, MaxLanes)
	case p.T < 1 || p.T > MaxPasses:
		return invalid("params.t: %d passes, want 1 to %d", p.T, MaxPasses)
	case p.M < 8*uint32(p.P) || p.M > MaxMemory:
		return invalid("params.m: %d KiB, want %d to %d", p.M, 8*uint32(p.P), MaxMemory)
	case uint64(p.M)*uint64(p.T) > maxWork:
		return invalid("params: %d KiB times %d passes, want at most %d", p.M, p.T, maxWork)
	}
	return nil
}
