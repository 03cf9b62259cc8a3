//go:build android || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package journal

import (
	"errors"
	"fmt"
	"os"
)

// Without flock(2) nothing keeps a second process out, so there is no journal.
func flock(*os.File) error {
	return fmt.Errorf("journal: no lock on this system: %w", errors.ErrUnsupported)
}

const openFlags = 0

func syncDir(*os.File) error { return nil }

func isFull(error) bool { return false }
