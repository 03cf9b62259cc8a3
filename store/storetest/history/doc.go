// Package history records what concurrent callers of a [store.Driver] did and saw, in one process ([Record]) or in
// several ([RecordProcesses]), as plain data for a checker of linearizability, and has the model of a store that such a
// checker needs ([Step]). With porcupine:
//
//	var model = porcupine.Model{
//		Init: func() any { return map[string]string{} },
//		Step: func(state, op, _ any) (bool, any) {
//			return history.Step(state.(map[string]string), op.(history.Operation))
//		},
//		Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
//		Hash:  func(state any) uint64 { return history.Hash(state.(map[string]string)) },
//	}
//
//	func linearizable(list []history.Operation) porcupine.CheckResult {
//		var ops []porcupine.Operation
//		for _, op := range list {
//			ops = append(ops, porcupine.Operation{
//				ClientId: op.Caller, Input: op, Call: int64(op.Call), Return: int64(op.Return),
//			})
//		}
//		return porcupine.CheckOperationsTimeout(model, ops, time.Minute)
//	}
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642, through package store: what many do to a database at once must fit together.
package history
