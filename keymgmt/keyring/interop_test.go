package keyring_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

// tinkclean builds the program in testdata, which is a module of its own: it requires Tink and nothing of ours.
func tinkclean(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "tinkclean")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("testdata", "tinkclean")
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("tinkclean does not build: %v\n%s", err, out)
		}
		t.Skipf("tinkclean does not build here, a module proxy is needed: %v\n%s", err, out)
	}
	return program
}

func TestAProgramWithTinkAloneUnderstandsUs(t *testing.T) {
	program := tinkclean(t)
	for _, a := range keymgmt.Algorithms(keymgmt.DataEncryption) {
		f := newFake(t)
		f.change(invoice, func(s *keymgmt.Keyset) { s.Algorithm = a })
		f.rotate(t, invoice)
		n, _ := node(t, f, nil)
		r := ring(t, n, invoice)
		c := label(t, "tenant", "acme", "invoice", "2026/0017", "ä", "")

		var sealed [][]byte
		for range 2 {
			s, err := r.Seal(nil, []byte("amount due"), c)
			require.NoError(t, err)
			sealed = append(sealed, s)
			f.rotate(t, invoice)
			require.NoError(t, n.Refresh(t.Context()))
		}
		var materials [][]byte
		for id := range uint32(4) {
			ref := keymgmt.Ref{Set: invoice, Key: id + 1}
			m, err := f.custodian.Unwrap(t.Context(), "root", f.keys[ref].Wrapped, keymgmt.MaterialContext(ref).Bytes())
			require.NoError(t, err)
			materials = append(materials, m)
		}
		exported, err := keyring.Assemble(4, materials...)
		require.NoError(t, err)
		shared, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
		require.NoError(t, err)
		transport, err := aead.New(shared)
		require.NoError(t, err)
		var file bytes.Buffer
		require.NoError(t, exported.Write(keyset.NewJSONWriter(&file), transport))

		question, err := json.Marshal(map[string]any{
			"Transport": binary(t, shared, nil), "Keyset": json.RawMessage(file.Bytes()), "Open": sealed, "Seal": []byte("paid"),
			"Context": map[string]string{"tenant": "acme", "invoice": "2026/0017", "ä": ""},
		})
		require.NoError(t, err)
		run := exec.Command(program)
		run.Stdin = bytes.NewReader(question)
		var stderr bytes.Buffer
		run.Stderr = &stderr
		out, err := run.Output()
		require.NoError(t, err, stderr.String())
		var answer struct {
			Opened [][]byte
			Sealed []byte
		}
		require.NoError(t, json.Unmarshal(out, &answer))
		require.Equal(t, [][]byte{[]byte("amount due"), []byte("amount due")}, answer.Opened)
		got, err := r.Open(nil, answer.Sealed, c)
		require.NoError(t, err)
		require.Equal(t, "paid", string(got))
		_, err = r.Open(nil, answer.Sealed, label(t, "tenant", "acme"))
		require.ErrorIs(t, err, keyring.ErrOpen)
	}
}
