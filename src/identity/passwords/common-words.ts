/** Base words of common passwords, in lower case; digits and signs around them are removed before the lookup. */
export const commonWords: readonly string[] = `
password passwort passwd passw0rd motdepasse contrasena senha parola wachtwoord haslo heslo pasuwaado
admin administrator root toor superuser sysadmin webmaster operator manager user guest test tester testing demo default
welcome willkommen bienvenue hello hallo bonjour letmein openup access login logon signin enter secret private
changeme change temp temporary initial system server database oracle mysql postgres postgresql master backup
company office service support security secure internet computer laptop windows microsoft apple google yahoo facebook
twitter instagram linkedin amazon netflix youtube github docker linux ubuntu debian samsung android iphone nokia
akashi chat chatapp portal intranet network router cisco firewall gateway
monkey dragon tiger eagle falcon phoenix panther wolf shark bear lion horse puppy kitty kitten hamster turtle rabbit
snoopy garfield pikachu pokemon mickey minnie donald goofy batman superman spiderman ironman wonderwoman avengers
starwars startrek matrix hobbit gandalf frodo merlin hermione harrypotter vader skywalker yoda trekkie spock
football soccer baseball basketball hockey tennis golfer golf cricket rugby volleyball swimming
arsenal chelsea liverpool barcelona realmadrid juventus manchester everton celtic rangers bayern
yankees lakers cowboys steelers packers raiders patriots redsox giants eagles chicago dallas boston
iloveyou loveyou iloveu lovely love lover loveme princess prince angel angels babygirl baby sweetie sweetheart honey
sunshine moonlight rainbow flower butterfly summer winter spring autumn monday friday sunday saturday
january february march april june july august september october november december
michael jennifer jessica ashley amanda daniel andrew joshua matthew anthony thomas robert william charlie george jordan
michelle nicole samantha hannah victoria elizabeth sophie natasha maria anna julia laura martin patrick richard
alexander benjamin christopher jonathan nicholas zachary brandon justin austin tyler hunter taylor maggie buster
killer hacker whatever nothing freedom forever trustno trustme trustnoone ninja samurai shadow ghost wizard magic
mustang ferrari porsche mercedes corvette camaro harley yamaha honda toyota nissan suzuki kawasaki subaru bmw audi
cheese chocolate cookie banana orange cherry strawberry pepper ginger coffee pizza burger sushi ramen
purple yellow green silver golden diamond crystal blue black white red
london paris berlin madrid roma tokyo osaka kyoto nagoya yokohama sapporo fukuoka nippon japan nihon japon
newyork canada mexico brasil america england france germany italia russia china korea india australia
jesus christ heaven blessed faith hope grace church god allah buddha
naruto sasuke doraemon totoro pikachu onepiece luffy goku dragonball sailormoon gundam kimetsu
sakura himawari hikari yuki haruka tanaka sato suzuki takahashi watanabe yamada nakamura kobayashi arigato sayonara
konnichiwa ohayou daisuki aishiteru anata watashi kawaii tomodachi gakusei sensei
asdf qwerty qwertz azerty zxcv abcd abc qaz wsx qazwsx asdfgh asdfjkl zaqxsw
music guitar piano drummer metallica nirvana beatles eminem blink slipknot ironmaiden elvis
player gamer minecraft fortnite roblox pubg counterstrike warcraft starcraft diablo zelda mario sonic playstation xbox
money dollar million rich bitcoin crypto ethereum wallet bank credit
family mother father mommy daddy sister brother friend friends bestfriend
success winner champion number first lucky happy smile peace
school college university student teacher doctor nurse police soldier captain
spider scorpion cobra viper python java javascript perl ruby
letme please open sesame opensesame abracadabra correcthorsebatterystaple correct horse battery staple
fuck fuckyou fucker bitch asshole sexy sex pussy porn shit bullshit
`
  .trim()
  .split(/\s+/)
