package export_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/export"
)

func ExampleExporter_Append() {
	x, err := export.New(export.Policy{
		Origin: "log.example.org/audit",
		Mapping: export.Mapping{ // a restart is an update of the service, and worth a look
			{Action: "service.restart", Class: export.APIActivity, Activity: 3, Severity: opsec.SeverityMedium},
		},
	})
	if err != nil {
		panic(err)
	}
	line, err := x.Append(nil, export.OCSF, seal(login(), 7)) // a Record as the log gives it
	fmt.Printf("%.110s... %v\n", line, err)
	line, err = x.Append(nil, export.Syslog, seal(login(), 7))
	fmt.Printf("%.110s... %v\n", line, err)
	// Output:
	// {"class_uid":3002,"class_name":"Authentication","category_uid":3,"activity_id":1,"activity_name":"Logon","type... <nil>
	// <110>1 2026-11-25T03:04:05.123456Z - opsec - authn.login [opsec@32473 origin="log.example.org/audit" index="7"... <nil>
}

func ExampleRead() {
	x, err := export.New(export.Policy{Origin: "log.example.org/audit"})
	if err != nil {
		panic(err)
	}
	file, err := x.Append(nil, export.JSON, seal(login(), 7))
	if err != nil {
		panic(err)
	}
	forged := bytes.Replace(file, []byte("j.doe"), []byte("m.mallory"), 1)
	file = append(append(append(file, '\n'), forged...), "\nsomething else\n"...)

	for line, err := range export.Read(bytes.NewReader(file)) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		record, err := x.Verify(line, open) // open checks the leaf's commitments
		if errors.Is(err, export.ErrAltered) {
			fmt.Println(err)
			continue
		}
		// What is left is an inclusion proof of record.LeafHash at record.Index, from the log.
		fmt.Println(record.Index, record.Event.Actor.Account, err)
	}
	// Output:
	// 7 j.doe <nil>
	// export: line 2: event.actor.account is not what the leaf proves: altered
	// export: line 3: not JSON: invalid
}

func ExampleSender() {
	s, err := export.NewSender("collector.example.org:6514", &tls.Config{MinVersion: tls.VersionTLS13}, nil)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // here nothing is to be sent
	err = s.Send(ctx, []byte("<110>1 - - - - - - hello"))
	if err == nil {
		err = s.Flush(ctx) // nil: the collector has read it; now the place in the log may be kept
	}
	fmt.Println(errors.Is(err, context.Canceled))
	// Output: true
}
