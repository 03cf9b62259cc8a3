package device_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout/device"
)

func Example() {
	ctx := context.Background()
	now := func() time.Time { return time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC) }
	keys := []device.Key{{ID: 1, Secret: bytes.Repeat([]byte("k"), 32), From: now()}} // 32 random bytes
	tokens, err := device.New(keys, device.Policy{}, device.NewMemory(1000), &device.Options{Now: now, Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		fmt.Println(err)
	}
	familiar, err := device.NewFamiliar(device.Networks{}, bytes.Repeat([]byte("f"), 32), now)
	if err != nil {
		fmt.Println(err)
	}
	sort := device.Classifier{Tokens: tokens, Familiar: familiar}

	who := device.Owner{Tenant: "acme", Account: "ann"}
	ip := netip.MustParseAddr("192.0.2.7")
	fmt.Printf("%q\n", sort.Classify(ctx, who, "", ip).Class)

	familiar.Learn(who, ip) // after a success
	cookie, _, err := tokens.Renew(ctx, who, "")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%q\n", sort.Classify(ctx, who, "", ip).Class)
	fmt.Printf("%q\n", sort.Classify(ctx, who, cookie, netip.MustParseAddr("203.0.113.1")).Class)
	fmt.Println(sort.Classify(ctx, device.Owner{Tenant: "acme", Account: "bob"}, cookie, ip).Doubt)
	// Output:
	// ""
	// "familiar"
	// "trusted"
	// device: no token of this account: denied
}

func ExampleTokens_Check() {
	ctx := context.Background()
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	keys := []device.Key{{ID: 1, Secret: bytes.Repeat([]byte("k"), 32), From: now}}
	tokens, err := device.New(keys, device.Policy{Lifetime: 30 * 24 * time.Hour}, device.NewMemory(1000), &device.Options{
		Now: func() time.Time { return now }, Authorizer: opsec.CallerAuthorized{},
	})
	if err != nil {
		fmt.Println(err)
	}
	who := device.Owner{Tenant: "acme", Account: "ann"}
	token, _, err := tokens.Issue(ctx, who)
	if err != nil {
		fmt.Println(err)
	}
	d, err := tokens.Check(ctx, who, token)
	fmt.Println(len(token), d.Expires.Format(time.DateOnly), err)

	if err := tokens.RevokeAll(ctx, opsec.Actor{Tenant: "acme", Account: "root"}, who, "stolen"); err != nil {
		fmt.Println(err)
	}
	_, err = tokens.Check(ctx, who, token)
	fmt.Println(err)
	// Output:
	// 87 2026-04-01 <nil>
	// device: token revoked: denied
}
