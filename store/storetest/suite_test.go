package storetest

import "testing"

func TestReferenceKeepsTheContract(t *testing.T) { Run(t, harness("")) }
