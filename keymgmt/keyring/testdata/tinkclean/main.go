// Command tinkclean opens ciphertexts with a Tink keyset, and seals a text with it. It knows of opsec only what its
// documents say: how a context is encoded. It reads JSON from standard input and writes JSON to standard output.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

type question struct {
	Transport []byte            // a cleartext Tink keyset, which opens Keyset
	Keyset    json.RawMessage   // an encrypted one, as JSON
	Context   map[string]string // names and values
	Open      [][]byte
	Seal      []byte
}

type answer struct {
	Opened [][]byte
	Sealed []byte
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tinkclean:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var q question
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return err
	}
	shared, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(q.Transport)))
	if err != nil {
		return err
	}
	transport, err := aead.New(shared)
	if err != nil {
		return err
	}
	handle, err := keyset.Read(keyset.NewJSONReader(bytes.NewReader(q.Keyset)), transport)
	if err != nil {
		return err
	}
	key, err := aead.New(handle)
	if err != nil {
		return err
	}
	associated := encode(q.Context)
	var a answer
	for i, ciphertext := range q.Open {
		plaintext, err := key.Decrypt(ciphertext, associated)
		if err != nil {
			return fmt.Errorf("ciphertext %d: %w", i, err)
		}
		if _, err := key.Decrypt(ciphertext, append(bytes.Clone(associated), 0)); err == nil {
			return fmt.Errorf("ciphertext %d opens with another context", i)
		}
		a.Opened = append(a.Opened, plaintext)
	}
	if a.Sealed, err = key.Encrypt(q.Seal, associated); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

// encode is version 1 of the encoding of a context: the byte 1; then, in bytewise order of the names, the length of the
// name in 4 bytes, big endian, the name, the length of the value likewise, the value.
func encode(context map[string]string) []byte {
	var names []string
	for name := range context {
		names = append(names, name)
	}
	slices.Sort(names)
	b := []byte{1}
	for _, name := range names {
		for _, text := range []string{name, context[name]} {
			b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
			b = append(b, text...)
		}
	}
	return b
}
