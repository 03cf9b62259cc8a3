package fence_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/backup/dr/fence"
)

func ExampleGate() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	g, _ := fence.OpenGate(filepath.Join(dir, "token"))
	write := func() error { fmt.Println("written"); return nil }
	fmt.Println(g.Do(3, write))
	fmt.Println(g.Do(4, write))
	fmt.Println(g.Do(3, write))
	// Output:
	// written
	// <nil>
	// written
	// <nil>
	// fence: token 3 is refused: a primary with token 4 has come
}

func ExampleTiming_Deadline() {
	t := fence.Timing{TTL: 10 * time.Second, Stop: 2 * time.Second, DriftPPM: 200}
	until := time.Date(2026, 3, 9, 12, 0, 10, 0, time.UTC)
	fmt.Println(t.Validate(), t.Deadline(until).Format(time.TimeOnly+".000"))
	// Output: <nil> 12:00:07.998
}
