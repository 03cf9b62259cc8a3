package hash_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec/identity/password/hash"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ExampleNew() {
	peppers := must(hash.NewKeys("2026", map[string][]byte{"2026": []byte("32 bytes that lie somewhere else")}))
	pool := must(hash.New(hash.OWASP, &hash.Options{Peppers: peppers}))

	ctx := context.Background()
	encoded := must(pool.Hash(ctx, []byte("correct horse battery staple")))
	fmt.Println(encoded[:strings.LastIndex(encoded[:len(encoded)-44], "$")])
	fmt.Printf("%+v\n", must(pool.Verify(ctx, []byte("correct horse battery staple"), encoded)))
	fmt.Println(pool.Dummy(ctx, []byte("Tr0ub4dor&3")))
	// Output:
	// $argon2id$v=19$m=19456,t=2,p=1,keyid=2026
	// {Match:true Rehash:false Hidden:false}
	// <nil>
}

func ExamplePool_Wrap() {
	ctx := context.Background()
	last := must(hash.NewKeys("2025", map[string][]byte{"2025": []byte("32 bytes that lie somewhere else")}))
	stored := must(must(hash.New(hash.OWASP, &hash.Options{Peppers: last})).Hash(ctx, []byte("correct horse battery staple")))

	both := must(hash.NewKeys("2026", map[string][]byte{
		"2025": []byte("32 bytes that lie somewhere else"),
		"2026": []byte("32 bytes which nobody knows yet."),
	}))
	pool := must(hash.New(hash.OWASP, &hash.Options{Peppers: both}))
	wrapped := must(pool.Wrap(ctx, stored)) // while nobody logs in
	fmt.Println(must(hash.Parse(wrapped)))
	fmt.Printf("%+v\n", must(pool.Verify(ctx, []byte("correct horse battery staple"), wrapped)))
	// Output:
	// argon2id, 19456 KiB, peppers ["2025" "2026"]
	// {Match:true Rehash:true Hidden:false}
}

func ExampleParse() {
	f, err := hash.Parse("$2y$10$abcdefghijklmnopqrstuuQ9t2jIpK1b4V1fpHnI6G4Mqj5rT7n2W")
	fmt.Println(f, err)
	_, err = hash.Parse("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	fmt.Println(err)
	// Output:
	// bcrypt, 8 KiB, peppers [] <nil>
	// hash: stored hash: invalid: m: 4194304, want 1 to 1048576
}
