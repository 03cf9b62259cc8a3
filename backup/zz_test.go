package backup

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/backup/trust"
)

func TestTry(t *testing.T) {
	d, err := OpenDir("/usr/local/go/src")
	if err != nil {
		t.Fatal(err)
	}
	for _, chunks := range []bool{false, true} {
		var b bytes.Buffer
		t0 := time.Now()
		h, err := Build(context.Background(), &b, d, BuildOptions{Header: Header{Tenant: "acme", Source: "go", Sequence: 1, Created: time.Now()}, Chunks: chunks, SHA256: chunks})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(time.Since(t0), h.Counts, b.Len())
		t0 = time.Now()
		m, err := OpenManifest(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("open", time.Since(t0))
		t0 = time.Now()
		r, err := Verify(context.Background(), m, trust.Verifier{}, d, Budget{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("verify", time.Since(t0))
		r.WriteText(os.Stdout)
		t0 = time.Now()
		n := 0
		for _, err := range SumFS(context.Background(), d, nil) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		fmt.Println("sumfs", n, time.Since(t0))
	}
}
