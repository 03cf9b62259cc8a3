package pkcs11_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"testing"

	"github.com/cloudopsec/opsec/keymgmt/custody/pkcs11"
)

func ExampleModule_Open() {
	ctx := context.Background()
	// Where your library is, and what it needs: here SoftHSM 2, which is told where its configuration is by SOFTHSM2_CONF.
	path := os.Getenv("PKCS11_LIBRARY")
	pin := func(context.Context) ([]byte, error) { return os.ReadFile("/run/credentials/hsm-pin") }

	module, err := pkcs11.Load(path)
	if err != nil {
		log.Fatal(err)
	}
	defer module.Close()
	token, err := module.Open(ctx, pkcs11.Name{Label: "provider"}, pin, &pkcs11.Options{Name: "HSM in rack 4"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token)
}

func BenchmarkWrap(b *testing.B) {
	h := newSoftHSM(b)
	token := h.open(b, 4)
	if err := token.Generate(b.Context(), "h"); err != nil {
		b.Fatal(err)
	}
	material := make([]byte, 100)
	w, err := token.Wrap(b.Context(), "h", material, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("wrap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := token.Wrap(b.Context(), "h", material, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unwrap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := token.Unwrap(b.Context(), "h", w, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
