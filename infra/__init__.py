"""The AWS side: CloudFormation templates, their parameters, and the commands that deploy, update and remove them."""
