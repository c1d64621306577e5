package localaws_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/shardmill/shardmill/localaws"
)

// The services for other processes, in any language: they are pointed at them by
// their environment.
func ExampleStack_Serve() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0") // loopback: the keys are public
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- stack.Serve(ctx, listener) }()

	endpoint := "http://" + listener.Addr().String()
	for _, v := range stack.Environ(endpoint) { // append them to exec.Cmd's Env
		name, _, _ := strings.Cut(v, "=")
		fmt.Println(name)
	}
	// A client of this process that is to use the network as the others do:
	cfg := stack.AWSConfig()
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String(endpoint), http.DefaultClient
	streams, err := kinesis.NewFromConfig(cfg).ListStreams(ctx, &kinesis.ListStreamsInput{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("streams:", streams.StreamNames)

	stop()
	if err := <-served; err != nil { // all requests have been answered
		log.Fatal(err)
	}
	// Output:
	// AWS_REGION
	// AWS_DEFAULT_REGION
	// AWS_ACCESS_KEY_ID
	// AWS_SECRET_ACCESS_KEY
	// AWS_ENDPOINT_URL
	// AWS_ENDPOINT_URL_KINESIS
	// AWS_ENDPOINT_URL_DYNAMODB
	// AWS_ENDPOINT_URL_S3
	// AWS_EC2_METADATA_DISABLED
	// streams: []
}

// A lost answer: the write has happened and its caller cannot know. The SDK
// repeats it, and so the condition of its own first try refuses it.
func ExampleLostAnswer() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	client := dynamodb.NewFromConfig(stack.AWSConfig())
	_, err = client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            aws.String("jobs"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		log.Fatal(err)
	}

	stack.Faults().Add(localaws.Fault{Service: localaws.DynamoDB, Operation: "PutItem", Times: 1, Kind: localaws.LostAnswer()})
	_, err = client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:           aws.String("jobs"),
		Item:                map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "report"}},
		ConditionExpression: aws.String("attribute_not_exists(id)"),
	})
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		fmt.Println("refused; but the item may be ours")
	} else {
		fmt.Println(err)
	}
	// Output: refused; but the item may be ours
}
