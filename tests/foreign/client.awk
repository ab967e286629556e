# gawk -v peer=/inet/PROTOCOL/0/HOST/PORT
{
    print |& peer
    peer |& getline reply
    print reply
    fflush()
}
