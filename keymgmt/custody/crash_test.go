package custody_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
)

// TestKilledProcessLeavesKeysWholeOrNone kills a process that generates and destroys keys, again and again.
func TestKilledProcessLeavesKeysWholeOrNone(t *testing.T) {
	if path := os.Getenv("OPSEC_CUSTODY_CHILD"); path != "" {
		generateAndDestroy(t, path)
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "keys")
	unsealed(t, openDir(t, path))
	for round := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLeavesKeysWholeOrNone$")
		cmd.Env = append(os.Environ(), "OPSEC_CUSTODY_CHILD="+path, fmt.Sprint("OPSEC_CUSTODY_ROUND=", round))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		is := map[string]string{} // what the process has said of each handle at last
		lines := bufio.NewScanner(out)
		for n := 30 + rand.IntN(60); n > 0 && lines.Scan(); n-- {
			if verb, handle, ok := strings.Cut(lines.Text(), " "); ok {
				is[handle] = verb
			}
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() { // what it has said before it died
			if verb, handle, ok := strings.Cut(lines.Text(), " "); ok {
				is[handle] = verb
			}
		}
		cmd.Wait()
		require.Greater(t, len(is), 5)

		r := unsealed(t, openDir(t, path))
		for _, name := range files(t, path) {
			require.False(t, strings.HasPrefix(name, ".erase-"), name)
		}
		for handle, verb := range is {
			_, err := r.Wrap(ctx, handle, []byte("material"), nil)
			switch verb {
			case "generated":
				require.NoError(t, err, "%s was %s", handle, verb)
			case "destroyed":
				require.ErrorIs(t, err, opsec.ErrNotFound, "%s was %s", handle, verb)
			default: // it died in between: one or the other
				if err != nil {
					require.ErrorIs(t, err, opsec.ErrNotFound, "%s was %s", handle, verb)
				}
			}
		}
	}
}

func generateAndDestroy(t *testing.T, path string) {
	r := unsealed(t, openDir(t, path))
	for i := 0; ; i++ {
		handle := fmt.Sprintf("round-%s/%d", os.Getenv("OPSEC_CUSTODY_ROUND"), i)
		fmt.Println("generating", handle)
		require.NoError(t, r.Generate(ctx, handle))
		fmt.Println("generated", handle)
		if i%2 == 0 {
			fmt.Println("destroying", handle)
			_, err := r.Destroy(ctx, handle)
			require.NoError(t, err)
			fmt.Println("destroyed", handle)
		}
	}
}
