// Package command runs a program as a transform: it gets batches of records as lines of
// JSON on its standard input, and answers each with a line on its standard output.
//
// # What the program does
//
// Until its input ends: read a line, which is the request that Firehose makes to a Lambda
// function (transform.AppendRequest), and write a line, the answer that such a function
// gives (transform.ParseAnswer), with one member more: the invocationId of the request.
// So an answer cannot be taken for that to another request. Then flush, and read on. One
// request is under way at a time. In jq, run with -c --unbuffered, a transform is
//
//	{invocationId, records: [.records[] | {recordId, result: "Ok", data}]}
//
// What it has to say it writes to its standard error, whose lines are logged as warnings;
// on its standard output anything but an answer is a fault, after which the program is
// killed. It ends when its input does. A program that ends, with status 0, after it has
// answered is started anew for the next request; that costs its start each time.
//
// # What becomes of it
//
// It is started at the first request, in a process group of its own, and started anew
// when it has ended, after a pause if it broke: one that another process, if it is idle or
// comes free, spares the batch. The group is killed, with SIGKILL
// and whatever belongs to it then, when an answer takes longer than the runner's limit of
// time, when nobody waits for the answer any more, after each fault, and when the program
// itself has ended. Of the children only those stay that made themselves a group of their
// own (setsid, setpgid). On Linux the program, though not its children, is killed when
// this process dies, however it does.
//
// This process reaps the program and no descendant of it: a child that outlives the program
// by an instant, as each does whose group is killed, is left to the system's init. Where
// this process is that itself, as process 1 of a container, such children stay zombies, and
// in time use up the container's process numbers: run it below an init, as docker run --init
// does.
//
//	what it does                                          becomes
//	no answer in time                                     Lambda.FunctionTimedOut, tried again
//	it ends, or closes its output, before it has answered Lambda.FunctionError, tried again
//	a line that is not the answer to the request          Lambda.FunctionError, tried again
//	a line of more than 6 MB                              two halves of the batch are tried, see transform.AnswerTooLarge
//	an answer, before it has read all of the request      it counts when the rest is read, within the limit of time
//	more after its answer                                 the answer counts; the program is started anew
//	it cannot be started                                  Lambda.InvocationFailure, tried again
//
// What the answer says of the records is judged as that of a Lambda function, see
// transform.Judge: what an answer lacks is not asked for again.
package command
