package statement_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/cloudopsec/opsec/keymgmt/statement"
)

func ExampleBuild() {
	s, err := statement.Build(context.Background(), usual(), "acme", []statement.Use{ // keys: a lifecycle.Manager
		{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: volumes},
		{Data: "credentials", Where: statement.Transit, At: "api", Channel: tls13()},
	}, noon)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range s.Entries {
		fmt.Println(e.Where, e.Data, e.Algorithm, e.Strength, e.Key)
	}
	// Output:
	// transit credentials TLS_AES_128_GCM_SHA256 128 0
	// storage volumes AES256_GCM 256 3
	// storage volumes AES128_GCM 128 2
}

func ExampleStatement_Check() {
	s, err := statement.Build(context.Background(), usual(), "acme", []statement.Use{
		{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: volumes},
		{Data: "logs", Where: statement.Storage, At: "eu-1", Clear: true},
	}, noon)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range s.Check([]statement.Claim{
		{Data: "volumes", Where: statement.Storage, Strength: 256, OwnKeys: true},
		{Data: "volumes", Where: statement.Backup, Strength: 256},
		{Data: "logs", Where: statement.Storage, Strength: 128},
	}) {
		fmt.Println(d)
	}
	// Output:
	// storage logs at eu-1: in-clear: encryption is promised
	// backup volumes: uncovered: nothing says how such data is protected there
	// storage volumes at eu-1, key 2 of acme/volumes: weak: AES128_GCM has 128 bits, promised are 256
}

func ExampleStatement_CBOM() {
	s, err := statement.Build(context.Background(), usual(), "acme", []statement.Use{
		{Data: "volumes", Where: statement.Backup, At: "vault-2", Keyset: disks},
	}, noon)
	if err != nil {
		log.Fatal(err)
	}
	text, err := s.CBOM("3e671687-395b-41f5-a30f-a58921a69b79")
	for line := range strings.Lines(string(text)) {
		for _, word := range []string{"specVersion", "bom-ref", "primitive", "state\":", "opsec:data"} {
			if strings.Contains(line, word) {
				fmt.Println(strings.TrimSpace(line))
			}
		}
	}
	fmt.Println(err)
	// Output:
	// "specVersion": "1.6",
	// "bom-ref": "algorithm/AES256_GCM",
	// "primitive": "ae",
	// "bom-ref": "key/@provider/disks/00000001",
	// "state": "active",
	// "name": "opsec:data",
	// <nil>
}
