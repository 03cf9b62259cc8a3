package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newKey stands for a key-encryption key: here a new Tink keyset.
func newKey() tink.AEAD { return must(aead.New(must(keyset.NewHandle(aead.AES256GCMKeyTemplate())))) }

var limits = envelope.Limits{Age: 5 * time.Minute, Messages: 1 << 20, Bytes: 1 << 40, Entries: 10_000, Memory: 16 << 20}

func Example() {
	ctx := context.Background()
	e := must(envelope.New(envelope.AEAD(newKey()), limits, nil))
	c := must(keymgmt.NewContext("tenant", "acme", "table", "invoices", "row", "4711"))
	sealed := must(e.Seal(ctx, nil, []byte("100 EUR"), c))
	fmt.Printf("%s\n", must(e.Open(ctx, nil, sealed, c)))

	sealed[len(sealed)-1] ^= 1
	_, err := e.Open(ctx, nil, sealed, c)
	fmt.Println(errors.Is(err, envelope.ErrOpen))
	// Output:
	// 100 EUR
	// true
}

func ExampleNewTenants() {
	ctx := context.Background()
	keys := map[opsec.TenantID]envelope.Wrapper{"acme": envelope.AEAD(newKey()), "globex": envelope.AEAD(newKey())}
	tenants := must(envelope.NewTenants(func(_ context.Context, t opsec.TenantID) (envelope.Wrapper, error) {
		if w, ok := keys[t]; ok {
			return w, nil
		}
		return nil, opsec.ErrNotFound
	}, limits, nil))
	acme, globex := must(tenants.Of("acme")), must(tenants.Of("globex"))
	c := must(keymgmt.NewContext("table", "invoices"))
	ours, theirs := must(acme.Seal(ctx, nil, []byte("acme's"), c)), must(globex.Seal(ctx, nil, []byte("globex's"), c))

	delete(keys, "acme") // stands for: the custodian has destroyed it
	acme.Purge()
	_, err := acme.Open(ctx, nil, ours, c)
	fmt.Println(err)
	fmt.Printf("%s\n", must(globex.Open(ctx, nil, theirs, c)))
	// Output:
	// not found
	// globex's
}

func ExampleEnvelope_Encrypt() {
	ctx := context.Background()
	e := must(envelope.New(envelope.AEAD(newKey()), envelope.Limits{}, nil))
	c := must(keymgmt.NewContext("tenant", "acme", "backup", "2026-03-01"))

	var stream bytes.Buffer
	w := must(e.Encrypt(ctx, &stream, c, func(n int64) { fmt.Println(n, "bytes") }))
	if _, err := io.WriteString(w, "a long text"); err != nil {
		return // without Close: what there is counts as cut
	}
	if err := w.Close(); err != nil {
		return
	}
	whole := stream.Bytes()
	r := must(e.Decrypt(ctx, bytes.NewReader(whole), c, nil))
	fmt.Printf("%s\n", must(io.ReadAll(r)))

	r = must(e.Decrypt(ctx, bytes.NewReader(whole[:len(whole)-1]), c, nil))
	_, err := io.ReadAll(r)
	fmt.Println(err)
	// Output:
	// 11 bytes
	// a long text
	// envelope: does not open: changed, cut, or of another key or context: invalid
}

func ExampleEnvelope_EncryptFile() {
	dir := must(os.MkdirTemp("", "example"))
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "backup")
	os.WriteFile(name, []byte("a backup"), 0o600)

	ctx := context.Background()
	e := must(envelope.New(envelope.AEAD(newKey()), envelope.Limits{}, nil))
	c := must(keymgmt.NewContext("backup", "2026-03-01"))
	fmt.Println(e.EncryptFile(ctx, name+".sealed", name, c, nil))
	fmt.Println(e.RewrapFile(ctx, name+".sealed", c)) // after a rotation of the key above
	fmt.Println(e.DecryptFile(ctx, name+".again", name+".sealed", c, nil))
	fmt.Printf("%s\n", must(os.ReadFile(name+".again")))
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// a backup
}

func ExampleEnvelope_Rewrap() {
	ctx := context.Background()
	manager := keyset.NewManager()
	first := must(manager.Add(aead.AES256GCMKeyTemplate()))
	manager.SetPrimary(first)
	kek := func() envelope.Wrapper { return envelope.AEAD(must(aead.New(must(manager.Handle())))) }
	c := must(keymgmt.NewContext("row", "4711"))
	sealed := must(must(envelope.New(kek(), envelope.Limits{}, nil)).Seal(ctx, nil, []byte("text"), c))

	manager.SetPrimary(must(manager.Add(aead.AES256GCMKeyTemplate())))
	sealed = must(must(envelope.New(kek(), envelope.Limits{}, nil)).Rewrap(ctx, nil, sealed, c))
	manager.Delete(first) // nothing needs it any more
	fmt.Printf("%s\n", must(must(envelope.New(kek(), envelope.Limits{}, nil)).Open(ctx, nil, sealed, c)))
	// Output: text
}
