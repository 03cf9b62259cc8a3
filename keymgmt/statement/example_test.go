package statement_test

import (
	"context"
	"fmt"
	"log"

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
	// storage volumes at eu-1, key 2: weak: AES128_GCM has 128 bits, promised are 256
}
